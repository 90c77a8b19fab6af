"""Google Sheets against a local stand-in that keeps to the documented contract of its API."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jwt
import pytest

from etlfabric_core.connectors import google, google_sheets
from etlfabric_core.connectors.google_sheets import GOOGLE_SHEETS
from etlfabric_core.connectors.record import Grant, TableQuery
from etlfabric_core.errors import InvalidConfig, TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.sources import google_sheets as source
from tests.google_server import ACCOUNT, KEY, PEOPLE, SPREADSHEET, Google, google_server
from tests.loading import plan, run

pytestmark = pytest.mark.feature("B4")

CONSENT = {"client_secret": "s3cret", "refresh_token": "1//refresh"}


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    with google_server(monkeypatch) as made:
        yield made


def endpoint(secrets: dict[str, str] | None = None, **config: Any) -> Endpoint:
    given = {"service_account_key": json.dumps(ACCOUNT)} if secrets is None else secrets
    return Endpoint(
        connector="google_sheets",
        config={"spreadsheet": SPREADSHEET, **config},
        secrets=given,
        addresses=("127.0.0.1",),
    )


def test_rows_arrive_with_all_their_digits_and_empty_ones_do_not(warehouse, standin, tmp_path):
    resource = {"name": "people", "source": "People", "columns": {"id": {"type": "integer"}}}
    result = run(plan(warehouse, endpoint(), resource), tmp_path, {})
    assert result.tables[0].loaded == 3
    assert warehouse.execute("select id, name, born, active, amount from people order by id") == [
        (1, "Zoë 🎉", "2001-05-31", "true", "0.1"),
        (2, None, None, "false", "12345678901"),
        (3, "line\nbreak, 'q'", None, None, None),
    ]


def test_a_service_account_signs_for_reading_sheets_alone(standin):
    assert source.answered(endpoint()) == "the spreadsheet has 1 sheets"
    (asked,) = standin.asked
    assert asked["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(asked["assertion"], KEY.public_key(), ["RS256"], audience=google.TOKEN_URI)
    assert claims["iss"] == ACCOUNT["client_email"]
    assert claims["scope"] == "https://www.googleapis.com/auth/spreadsheets.readonly"
    assert claims["exp"] - claims["iat"] == 3600


def test_the_consent_of_a_person_is_used_to_sign_in(standin):
    given = endpoint(CONSENT, auth="oauth2", client_id="c1")
    assert GOOGLE_SHEETS.test(given, {}).ok
    assert standin.asked == [{"grant_type": "refresh_token", "client_id": "c1", **CONSENT}]
    taken_back = endpoint({**CONSENT, "refresh_token": "revoked"}, auth="oauth2", client_id="c1")
    refused = GOOGLE_SHEETS.test(taken_back, {})
    assert (refused.ok, refused.message) == (False, "Google refused to sign in")


def test_a_code_is_worth_a_consent_once_and_only_for_spreadsheets(standin):
    given = endpoint({"client_secret": "s3cret"}, auth="oauth2", client_id="c1")
    standin.codes = {"right": f"openid {google.SHEETS_SCOPE}", "other": "openid"}
    grant = Grant("right", "verifier", "https://etl.example.com/connections/consent")
    assert google_sheets.redeem(given, grant) == {"refresh_token": "1//given"}
    assert standin.asked[-1] == {
        "grant_type": "authorization_code",
        "client_id": "c1",
        "client_secret": "s3cret",
        "code": "right",
        "code_verifier": "verifier",
        "redirect_uri": "https://etl.example.com/connections/consent",
    }
    assert "right" not in repr(grant)
    assert "verifier" not in repr(grant)
    with pytest.raises(TerminalError, match="Google refused to sign in"):
        google_sheets.redeem(given, grant)
    with pytest.raises(TerminalError, match="does not cover reading spreadsheets"):
        google_sheets.redeem(given, replace(grant, code="other"))


def test_a_token_that_ends_is_renewed(standin, warehouse, tmp_path, monkeypatch):
    standin.lifetime = 0
    monkeypatch.setattr(source, "BLOCK_CELLS", 26 * 100)  # so many rows to an answer
    run(plan(warehouse, endpoint(), {"name": "people", "source": "People"}), tmp_path, {})
    assert len(standin.asked) > len(PEOPLE)
    assert warehouse.count("people") == 3


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_blocks_of_any_size_give_the_same_rows(warehouse, standin, tmp_path, monkeypatch, size):
    standin.sheets["It's 'x'!"] = [["n"], *([n] for n in range(7))]
    monkeypatch.setattr(source, "BLOCK_CELLS", 26 * size)
    run(plan(warehouse, endpoint(), {"name": "x", "source": "It's 'x'!"}), tmp_path, {})
    assert [n for (n,) in warehouse.execute("select n from x order by n")] == list("0123456")


def test_a_bad_cell_is_rejected_with_its_row(warehouse, standin, tmp_path):
    standin.sheets["Bad"] = [["report"], [], ["n"], [1], [], ["many"]]
    resource = {
        "name": "bad",
        "source": "Bad",
        "columns": {"n": {"type": "integer"}},
        "on_bad_row": "quarantine",
    }
    run(plan(warehouse, endpoint(header_row=3), resource), tmp_path, {})
    assert warehouse.execute("select n from bad") == [(1,)]
    assert warehouse.execute('select file, line, "column" from bad__rejected') == [("Bad", 6, "n")]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "row 1: no names of columns"),
        ([["a", "", "c"]], "row 1: column 2 has no name"),
        ([["a", "a"]], "row 1: the name 'a' occurs twice"),
        ([["a"], [1], [1, 2]], "row 3: a value beside the last column"),
    ],
)
def test_a_sheet_that_is_no_table_says_where(warehouse, standin, tmp_path, rows, words):
    standin.sheets["T"] = rows
    with pytest.raises(TerminalError, match=words):
        run(plan(warehouse, endpoint(), {"name": "t", "source": "T"}), tmp_path, {})


def test_sheets_and_their_columns_are_listed(standin):
    standin.sheets["Orders"] = [["id"]]
    page = GOOGLE_SHEETS.browse.tables(endpoint(), {}, TableQuery())
    assert [table.source for table in page.tables] == ["Orders", "People"]
    columns = GOOGLE_SHEETS.browse.columns(endpoint(), {}, "People")
    assert [column.name for column in columns] == PEOPLE[0]
    with pytest.raises(TerminalError, match="no sheet 'Chart'") as caught:
        GOOGLE_SHEETS.browse.columns(endpoint(), {}, "Chart")
    assert caught.value.hint == "its sheets are: People, Orders"


def test_a_spreadsheet_that_is_not_shared_says_what_to_do(standin):
    other = endpoint(spreadsheet="x" * 44)
    found = GOOGLE_SHEETS.test(other, {})
    assert not found.ok
    assert "share the spreadsheet" in str(found.hint)


@pytest.mark.parametrize(
    ("secrets", "config", "field"),
    [
        ({}, {}, "service_account_key"),
        ({"service_account_key": json.dumps({**ACCOUNT, "private_key": "x"})}, {}, "private_key"),
        ({}, {"auth": "oauth2", "client_id": "c"}, "client_secret"),
        ({"client_secret": "s"}, {"auth": "oauth2", "client_id": "c"}, "refresh_token"),
        ({}, {"auth": "oauth2"}, "client_id"),
        ({}, {"spreadsheet": "../../x"}, "spreadsheet"),
    ],
)
def test_what_is_missing_is_named(standin, secrets, config, field):
    with pytest.raises(InvalidConfig, match=field):
        source.listed(endpoint(secrets, **config))
    assert standin.asked == []


def test_no_secret_is_told(standin):
    told = str(GOOGLE_SHEETS.test(endpoint(spreadsheet="x" * 44), {}))
    told += str(GOOGLE_SHEETS.test(endpoint({"service_account_key": "sesame"}), {}))
    assert "sesame" not in told
    assert "ya29" not in told
    assert "PRIVATE" not in told
