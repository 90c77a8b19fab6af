"""Google Sheets against a local stand-in that keeps to the documented contract of its API."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from etlfabric_core.connectors import google, google_sheets
from etlfabric_core.connectors.google_sheets import GOOGLE_SHEETS
from etlfabric_core.connectors.record import TableQuery
from etlfabric_core.errors import InvalidConfig, TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.sources import google_sheets as source
from tests.api_server import ApiServer, Asked, Route, Said, api_server
from tests.loading import plan, run

pytestmark = pytest.mark.feature("B4")

SPREADSHEET = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"
KEY = rsa.generate_private_key(65537, 2048)
ACCOUNT = {
    "type": "service_account",
    "project_id": "my-project",
    "client_email": "etl@my-project.iam.gserviceaccount.com",
    "private_key": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "private_key_id": "k1",
    "token_uri": "http://169.254.169.254/steal",
}
CONSENT = {"client_secret": "s3cret", "refresh_token": "1//refresh"}
PEOPLE = [
    ["id", "name", "born", "active", "amount"],
    [1, "Zoë 🎉", "2001-05-31", True, 0.1],
    [2, "", "", False, 12345678901],
    [],
    ["", ""],
    [3, "line\nbreak, 'q'"],
]


@dataclass
class Google:
    """The API and its tokens: sheets by title, and what was asked for tokens."""

    server: ApiServer
    sheets: dict[str, list[list[Any]]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    lifetime: int = 3600

    def get(self, path: str) -> Route | None:
        """What answers at a path."""
        base = f"/v4/spreadsheets/{SPREADSHEET}"
        if path == "/token":
            return self._token
        if path == base:
            return self._signed(lambda asked: Said({"sheets": self._properties()}))
        if path.startswith(f"{base}/values/"):
            return self._signed(self._values)
        return self._signed(lambda asked: Said({"error": {"code": 404}}, 404))

    def _token(self, asked: Asked) -> Said:
        self.asked.append({name: values[0] for name, values in parse_qs(asked.body).items()})
        if self.asked[-1].get("refresh_token") == "revoked":
            return Said({"error": "invalid_grant"}, 400)
        token = f"ya29.{len(self.asked)}"
        return Said({"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"})

    def _signed(self, route: Route) -> Route:
        def checked(asked: Asked) -> Said:
            if asked.headers.get("Authorization") != f"Bearer ya29.{len(self.asked)}":
                return Said({"error": {"code": 401}}, 401)
            return route(asked)

        return checked

    def _properties(self) -> list[dict[str, Any]]:
        grids = [
            {
                "title": title,
                "sheetType": "GRID",
                "gridProperties": {"rowCount": len(rows) + 995, "columnCount": 26},
            }
            for title, rows in self.sheets.items()
        ]
        chart = {"title": "Chart", "sheetType": "OBJECT"}
        return [{"properties": one} for one in (*grids, chart)]

    def _values(self, asked: Asked) -> Said:
        assert asked.query["valueRenderOption"] == "UNFORMATTED_VALUE"
        found = re.fullmatch(r"'(.*)'!(\d+):(\d+)", unquote(asked.path.rpartition("/")[2]))
        assert found
        rows = self.sheets[found[1].replace("''", "'")][int(found[2]) - 1 : int(found[3])]
        while rows and not rows[-1]:  # Google leaves out what is empty at the end
            rows = rows[:-1]
        return Said({"range": "r", "majorDimension": "ROWS", **({"values": rows} if rows else {})})


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    with api_server() as server:
        made = Google(server, {"People": PEOPLE})
        server.routes = made  # type: ignore[assignment] - it answers by more than equal paths
        monkeypatch.setattr(google_sheets, "API", server.url)
        monkeypatch.setattr(google, "TOKEN_URI", f"{server.url}/token")
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


def test_a_token_that_ends_is_renewed(standin, warehouse, tmp_path, monkeypatch):
    standin.lifetime = 0
    monkeypatch.setattr(source, "BLOCK_CELLS", 26)  # one row to an answer
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
