"""REST sources read a real HTTP server: how they sign in, what they ask, what arrives."""

from datetime import UTC, datetime

import pytest

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import parse
from etlfabric_core.errors import InvalidConfig
from etlfabric_core.extract_load.plan import Window
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.graph.resources import ResourceConfig
from tests.api_server import Said, api_server
from tests.core.extract_load.rest_world import RECORDS, api, error, rows, says
from tests.loading import Warehouse, plan, run

__all__ = ["api"]  # a fixture
pytestmark = pytest.mark.feature("B4")


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
