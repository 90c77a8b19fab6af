"""REST sources read a real HTTP server: each paginator and auth kind, and nothing beyond it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import parse
from etlfabric_core.errors import FabricError, InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Window
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources import open_reader, rest_session
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig
from tests.api_server import ApiServer, Asked, Said, api_server
from tests.loading import Warehouse, plan, run

pytestmark = pytest.mark.feature("B4")

RECORDS = [{"id": number, "name": f"n{number}"} for number in range(1, 8)]


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with api_server() as running:
        yield running


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The seconds that the reader would have waited."""
    slept: list[float] = []
    monkeypatch.setattr(rest_session, "time", SimpleNamespace(sleep=slept.append, monotonic=float))
    return slept


def rows(
    api: ApiServer,
    *,
    connection: dict[str, Any] | None = None,
    secrets: dict[str, str] | None = None,
    selection: Selection | None = None,
    others: tuple[ResourceConfig, ...] = (),
    source: str = "items",
    **options: Any,
) -> list[dict[str, Any]]:
    resource = ResourceConfig(name="items", source=source, options=options)
    config = PipelineConfig(resources=(resource, *others))
    with open_reader(api.endpoint(secrets=secrets, **(connection or {})), {}, config) as reader:
        batches = list(reader.table(resource).read(selection or Selection()))
    return [row for batch in batches for row in batch.to_pylist()]


def error(api: ApiServer, **options: Any) -> FabricError:
    with pytest.raises(FabricError) as caught:
        rows(api, **options)
    return caught.value


def says(body: Any, **answer: Any):
    return lambda asked: Said(body, **answer)


def paged(wrap):
    """A route that cuts three records to a page and wraps them with the number of the page."""

    def route(asked: Asked) -> Said:
        number = int(asked.query.get("page", 1))
        return wrap(RECORDS[(number - 1) * 3 : number * 3], number)

    return route


def linked(api: ApiServer, records: list[Any], number: int) -> str | None:
    return f"{api.url}/items?page={number + 1}" if number * 3 < len(RECORDS) else None


PAGINATORS = {
    "json_link": (
        {"type": "json_link", "next_path": "links.next"},
        lambda api: paged(
            lambda found, page: Said({"data": found, "links": {"next": linked(api, found, page)}})
        ),
    ),
    "json_link, empty at the end": (
        {"type": "json_link"},
        lambda api: paged(
            lambda found, page: Said({"data": found, "next": linked(api, found, page) or ""})
        ),
    ),
    "header_link": (
        {"type": "header_link"},
        lambda api: paged(
            lambda found, page: Said(
                {"data": found},
                headers={"Link": f'<{link}>; rel="next"'}
                if (link := linked(api, found, page))
                else {},
            )
        ),
    ),
    "page_number": (
        {"type": "page_number"},
        lambda api: paged(lambda found, page: Said({"data": found})),
    ),
    "offset": (
        {"type": "offset", "limit": 3},
        lambda api: (
            lambda asked: Said(
                {
                    "data": RECORDS[int(asked.query["offset"]) :][: int(asked.query["limit"])],
                }
            )
        ),
    ),
    "cursor": (
        {"type": "cursor", "cursor_path": "meta.after", "cursor_param": "after"},
        lambda api: (
            lambda asked: Said(
                {
                    "data": RECORDS[int(asked.query.get("after", 0)) :][:3],
                    "meta": {
                        "after": after
                        if (after := int(asked.query.get("after", 0)) + 3) < len(RECORDS)
                        else None
                    },
                }
            )
        ),
    ),
    "auto": (
        {"type": "auto"},
        lambda api: paged(
            lambda found, page: Said({"data": found, "next": linked(api, found, page)})
        ),
    ),
    "single_page": ({"type": "single_page"}, lambda api: says({"data": RECORDS})),
}


@pytest.mark.parametrize("kind", PAGINATORS)
def test_every_paginator_reads_every_record_once(api, kind):
    paginator, route = PAGINATORS[kind]
    api.routes["/items"] = route(api)
    found = rows(api, paginator=paginator, records="data")
    assert found == RECORDS


AUTHS = {
    "none": ({}, {}, None),
    "bearer": ({}, {"token": "t0ken"}, "Bearer t0ken"),
    "basic": ({"username": "me"}, {"password": "pass"}, "Basic bWU6cGFzcw=="),
    "api_key": ({"api_key_name": "Authorization"}, {"api_key": "k3y"}, "k3y"),
}


@pytest.mark.parametrize("auth", AUTHS)
def test_every_auth_kind_signs_in(api, auth):
    config, secrets, expected = AUTHS[auth]
    api.routes["/items"] = says(RECORDS)
    rows(api, connection={"auth": auth, **config}, secrets=secrets)
    assert {asked.headers.get("Authorization") for asked in api.asked} == {expected}


def test_an_api_key_can_be_in_the_query_and_headers_can_be_secret(api):
    api.routes["/items"] = says(RECORDS)
    connection = {
        "auth": "api_key",
        "api_key_location": "query",
        "api_key_name": "key",
        "headers": {"X-Plain": "p"},
    }
    rows(api, connection=connection, secrets={"api_key": "k3y", "headers": "X-Secret: s\n"})
    for asked in api.asked:
        assert asked.query["key"] == "k3y"
        assert (asked.headers["X-Plain"], asked.headers["X-Secret"]) == ("p", "s")


def test_oauth2_asks_for_a_token_at_its_own_server(api):
    api.routes["/items"] = says(RECORDS)
    with api_server() as tokens:
        tokens.routes["/token"] = says({"access_token": "fresh", "expires_in": 3600})
        connection = {
            "auth": "oauth2_client_credentials",
            "client_id": "me",
            "token_url": f"{tokens.url}/token",
            "scope": "read",
        }
        secrets = {"client_secret": "secret"}
        assert rows(api, connection=connection, secrets=secrets) == RECORDS
    (asked,) = tokens.asked
    assert asked.method == "POST"
    assert asked.body == (
        "client_id=me&client_secret=secret&grant_type=client_credentials&scope=read"
    )
    assert {one.headers["Authorization"] for one in api.asked} == {"Bearer fresh"}
    assert all("secret" not in str(one) for one in api.asked)


def test_the_token_server_is_pinned_too(api):
    connection = {
        "auth": "oauth2_client_credentials",
        "client_id": "me",
        "token_url": "http://elsewhere.invalid/token",
    }
    caught = error(api, connection=connection, secrets={"client_secret": "s"})
    assert caught.message == "host: 'elsewhere.invalid' was not looked up"


def test_values_arrive_as_they_are_written(api, warehouse: Warehouse, tmp_path):
    body = (
        '[{"id":9007199254740993,"price":1.10,"tags":["a",{"n":1e400}],"on":true,"none":null},'
        '{"id":2,"price":3,"tags":null,"on":null,"none":null}]'
    )
    api.routes["/items"] = says(body)
    result = run(plan(warehouse, api.endpoint(), {"name": "items"}), tmp_path / "work", {})
    assert [(table.table, table.loaded) for table in result.tables] == [("items", 2)]
    assert warehouse.execute(
        "select id, price::text, tags->>0, (tags->1->>'n')::numeric = 1e400, \"on\" "
        "from items order by id desc"
    ) == [(9007199254740993, "1.10", "a", True, True), (2, "3", None, None, None)]


def test_given_fields_keep_their_types_and_others_have_a_place(api):
    pages = [[{"id": "1", "at": "2024-05-31T10:00:00+02:00", "new": 1.50}], [{"id": 2}], []]
    api.routes["/items"] = lambda asked: Said(pages[int(asked.query["page"]) - 1])
    fields = {"id": "integer", "at": "timestamp", "gone": "text"}
    found = rows(api, fields=fields, paginator={"type": "page_number"})
    assert found == [
        {
            "id": 1,
            "at": datetime(2024, 5, 31, 8, tzinfo=UTC),
            "gone": None,
            "other_fields": '{"new":1.5}',
        },
        {"id": 2, "at": None, "gone": None, "other_fields": None},
    ]


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([{"id": 2, "new": 1}], "record 2: field 'new' has a value for the first time"),
        ([{"id": "two"}], "record 2, field 'id': text that is not integer"),
        ([{"id": 1.5}], "record 2, field 'id': a number that is not integer"),
    ],
)
def test_what_the_first_page_did_not_have_is_never_changed_silently(api, second, words):
    first = [{"id": number} for number in [1] * 1]
    pages = [first * 100, second, []]
    api.routes["/items"] = lambda asked: Said(pages[int(asked.query["page"]) - 1])
    caught = error(api, paginator={"type": "page_number"})
    assert words.replace("record 2", "record 101") in caught.message
    assert "fields" in (caught.hint or "")


def test_children_are_asked_for_by_each_record_of_their_parent(api):
    api.routes["/teams"] = says([{"id": 1, "name": "a/b"}, {"id": 2, "name": "ü?x=1"}])
    api.routes["/teams/1/people/a%2Fb"] = says([{"person": 1}])
    api.routes["/teams/2/people/%C3%BC%3Fx%3D1"] = says([{"person": 2}, {"person": 3}])
    found = rows(
        api,
        others=(ResourceConfig(name="teams"),),
        path="teams/{team}/people/{name}",
        parent={
            "resource": "teams",
            "params": {"team": "id", "name": "name"},
            "include": ["id"],
        },
        paginator={"type": "single_page"},
    )
    assert found == [
        {"person": 1, "teams_id": 1},
        {"person": 2, "teams_id": 2},
        {"person": 3, "teams_id": 2},
    ]


@pytest.mark.parametrize(
    ("selection", "form", "expected"),
    [
        (Selection("id", 5), "iso", {"since": "5"}),
        (
            Selection("at", datetime(2024, 1, 1, tzinfo=UTC)),
            "iso",
            {"since": "2024-01-01T00:00:00Z"},
        ),
        (Selection("at", datetime(2024, 1, 1, tzinfo=UTC)), "epoch", {"since": "1704067200"}),
        (
            Selection(
                "at",
                window=Window(
                    start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 1, 2, tzinfo=UTC)
                ),
            ),
            "iso",
            {"since": "2024-01-01T00:00:00Z", "until": "2024-01-02T00:00:00Z"},
        ),
        (Selection(), "iso", {}),
    ],
)
def test_the_cursor_goes_into_the_query(api, selection, form, expected):
    api.routes["/items"] = says([])
    incremental = {"start_param": "since", "end_param": "until", "format": form}
    fields = {"id": "integer", "at": "timestamp"}
    rows(api, selection=selection, fields=fields, incremental=incremental)
    assert [asked.query for asked in api.asked] == [expected]


def test_a_second_load_asks_for_newer_records_only(api, warehouse: Warehouse, tmp_path):
    records = [{"id": number} for number in range(1, 4)]
    api.routes["/items"] = lambda asked: Said(
        [record for record in records if record["id"] >= int(asked.query.get("since", 0))]
    )
    resource = {
        "name": "items",
        "cursor": {"column": "id"},
        "options": {"fields": {"id": "integer"}, "incremental": {"start_param": "since"}},
    }
    loads = [plan(warehouse, api.endpoint(), resource) for _ in range(2)]
    run(loads[0], tmp_path / "one", {})
    records += [{"id": 4}, {"id": 5}]
    run(loads[1], tmp_path / "two", {})
    assert api.asked[-1].query == {"since": "3"}
    assert warehouse.execute("select id from items order by id") == [(n,) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([Said(status=429, headers={"Retry-After": "7"})], [7.0]),
        ([Said(status=503), Said(status=500), Said(status=502)], [1.0, 2.0, 4.0]),
    ],
)
def test_it_waits_as_it_is_told_and_asks_again(api, waits, answers, expected):
    api.routes["/items"] = lambda asked: answers.pop(0) if answers else Said(RECORDS)
    assert rows(api, fields={"id": "integer", "name": "text"})[0]["id"] == 1
    assert waits == expected


def test_it_does_not_wait_for_ever(api, waits):
    api.routes["/items"] = says(None, status=429, headers={"Retry-After": "86400"})
    caught = error(api)
    assert isinstance(caught, TransientError)
    assert "asks to wait 86400 s" in caught.message
    api.routes["/items"] = says(None, status=500)
    caught = error(api)
    assert isinstance(caught, TransientError)
    assert "answers 500, however often" in caught.message
    assert waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("kind", ["json_link", "page_number", "cursor"])
def test_pages_without_end_are_noticed(api, kind):
    body = {"data": RECORDS, "next": f"{api.url}/items", "next_cursor": "same"}
    api.routes["/items"] = says(body)
    caught = error(api, paginator={"type": kind}, records="data", fields={"id": "integer"})
    assert isinstance(caught, TerminalError)
    assert "the same records come again" in caught.message
    assert len(api.asked) <= 3


@pytest.mark.parametrize("way", ["next link", "header link", "redirect"])
@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/",
        "http://localhost:{other}/items",
        "http://127.0.0.1:{other}/items",
        "http://127.0.0.1.nip.io/items",
        "http://user@127.0.0.1:{other}/items",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "//127.0.0.1:{other}/items",
    ],
)
def test_no_answer_leads_to_another_place(api, way, target):
    with api_server() as canary:
        canary.routes["/items"] = says(RECORDS)
        url = target.format(other=canary.port)
        answers = {
            "next link": Said({"data": RECORDS, "next": url}),
            "header link": Said({"data": RECORDS}, headers={"Link": f'<{url}>; rel="next"'}),
            "redirect": Said(status=302, headers={"Location": url}),
        }
        kinds = {"next link": "json_link", "header link": "header_link", "redirect": "single_page"}
        api.routes["/items"] = says(
            answers[way].body, status=answers[way].status, headers=answers[way].headers
        )
        caught = error(
            api,
            connection={"auth": "bearer"},
            secrets={"token": "canary-4711"},
            paginator={"type": kinds[way]},
            records="data",
            fields={"id": "integer"},
        )
        assert "leads to another place" in caught.message or "not an address" in caught.message
        assert "canary" not in caught.message
        assert canary.asked == []


def test_a_redirect_on_the_same_server_is_followed_and_signed(api):
    api.routes["/items"] = says(None, status=302, headers={"Location": "/moved"})
    api.routes["/moved"] = says(RECORDS)
    found = rows(api, connection={"auth": "bearer"}, secrets={"token": "t"})
    assert found == RECORDS
    assert {asked.headers["Authorization"] for asked in api.asked} == {"Bearer t"}


def test_a_name_is_connected_to_at_its_checked_address_only(api):
    api.routes["/items"] = says(RECORDS)
    found = rows(api, connection={"base_url": f"http://api.invalid:{api.port}"})
    assert found == RECORDS
    assert api.asked[0].headers["Host"] == f"api.invalid:{api.port}"


@pytest.mark.parametrize(
    ("answer", "options", "words"),
    [
        (Said("<html>"), {}, "/items: the answer is not JSON"),
        (Said("[" * 100_000), {}, "/items: the answer is not JSON"),
        (Said('[{"a":1,"a":2}]'), {}, "/items: the answer is not JSON"),
        (Said([1, 2]), {}, "record 1: it is no object"),
        (Said({"data": []}), {"records": "rows"}, "the answer has nothing at 'rows'"),
        (Said({"data": []}), {"records": "[["}, "does not have what its paginator looks for"),
        (Said({"data": [1]}), {"paginator": {"type": "cursor"}}, "no object"),
        (Said(None, 401), {}, "/items: the API answers 401"),
        (Said(None, 404), {}, "/items: the API answers 404"),
        (Said(b" " * (65 << 20)), {}, "an answer is larger than 64 MiB"),
    ],
)
def test_what_is_no_answer_is_told_without_its_text(api, answer, options, words):
    api.routes["/items"] = says(answer.body, status=answer.status)
    caught = error(api, **options)
    assert isinstance(caught, TerminalError)
    assert words in caught.message
    assert caught.hint


def test_a_bomb_is_not_unpacked(api):
    import gzip

    packed = gzip.compress(b" " * (70 << 20))
    api.routes["/items"] = says(packed, headers={"Content-Encoding": "gzip"})
    assert "larger than 64 MiB" in error(api).message


def test_the_test_of_a_connection_says_what_to_do(api):
    test = get_connector("rest").test
    api.routes["/"] = lambda asked: Said({}, 200 if "Authorization" in asked.headers else 401)
    assert test(api.endpoint(auth="bearer", secrets={"token": "t"}), {}).ok
    refused = test(api.endpoint(), {})
    assert refused.message == "127.0.0.1/: the API answers 401"
    assert refused.hint == "check the credentials of the connection"
    assert "token" in test(api.endpoint(auth="bearer"), {}).message
    closed = test(api.endpoint(base_url="http://127.0.0.1:9"), {})
    assert "no answer (ConnectionError)" in closed.message


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"base_url": "file:///etc/passwd"}, "base_url"),
        ({"base_url": "http://user:pw@host"}, "base_url"),
        ({"base_url": "http://host?x=1"}, "base_url"),
        ({"headers": {"Host": "other"}}, "cannot be set"),
        ({"headers": {"X": "a\r\nHost: b"}}, "cannot be set"),
        ({"headers": {"Authorization": "x"}}, "choose an auth kind"),
        ({"auth": "basic"}, "needs a username"),
        ({"auth": "oauth2_client_credentials"}, "needs client_id"),
    ],
)
def test_a_config_is_checked(config, words):
    with pytest.raises(InvalidConfig, match=words):
        parse(get_connector("rest").config, {"base_url": "http://host", **config})


@pytest.mark.parametrize(
    "path",
    ["http://other/x", "//other/x", "../../x", "a\\b", "{id:>99999999}", "{id.real}", "{0}", "{id"],
)
def test_a_path_stays_below_the_base(path):
    options = get_connector("rest").resource_options
    assert options
    with pytest.raises(InvalidConfig, match="path"):
        parse(options, {"path": path})
