"""Connections that name a URL: who may be reached, who sees the secret, and what a test says."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI

from etlfabric_core.access import network
from etlfabric_core.access.network import AllowList
from tests.api.conftest import MakeOrg
from tests.api.test_workflow_graph import fields, main_workflow
from tests.api_server import ApiServer, Said, api_server

API = "/api/v1"
OPENED, CLOSED = "127.0.0.1", "127.0.0.2"  # by the settings of the service under test
DRAFTS: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "s3": (
        {"bucket": "demo"},
        {"access_key_id": "AKID", "secret_access_key": "canary-4711"},
        "endpoint_url",
    ),
    "rest": ({"auth": "bearer"}, {"token": "canary-4711"}, "base_url"),
    "github": ({"owner": "acme", "repository": "shop"}, {"token": "canary-4711"}, "base_url"),
    "stripe": ({}, {"secret_key": "canary-4711"}, "base_url"),
}
INSIDE = (
    "http://127.0.0.1:9/",
    "http://169.254.169.254/",
    "http://10.0.0.1/",
    "http://localhost/",
    "http://2130706433/",
    "https://0.0.0.0/",
)


def draft(connector: str, url: str, **config: Any) -> dict[str, Any]:
    given, secrets, field = DRAFTS[connector]
    return {
        "name": f"A {connector}",
        "connector": connector,
        "config": {**given, field: url, **config},
        "secrets": secrets,
    }


@pytest.fixture
def nothing_opened(app: FastAPI) -> Iterator[None]:
    opened = app.state.wiring
    app.state.wiring = replace(opened, allowed=AllowList.parse(""))
    yield
    app.state.wiring = opened


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    with api_server() as running:
        yield running


@pytest.mark.feature("A20", "B3", "B4")
@pytest.mark.parametrize("connector", DRAFTS)
async def test_no_address_inside_is_saved_or_tested(
    nothing_opened: None, make_org: MakeOrg, connector: str
) -> None:
    owner = await make_org()
    for url in INSIDE:
        sent = draft(connector, url)
        for path in ("connections", "connections/test"):
            body = sent if path == "connections" else {k: v for k, v in sent.items() if k != "name"}
            answer = await owner.post(f"{API}/{path}", json=body)
            assert answer.status_code == 422, (url, answer.text)
            assert fields(answer) == {f"config.{DRAFTS[connector][2]}"}
            assert "canary" not in answer.text


@pytest.mark.feature("A20", "B4")
async def test_the_server_of_tokens_is_checked_too(make_org: MakeOrg, api: ApiServer) -> None:
    owner = await make_org()
    sent = draft("rest", api.url, auth="oauth2_client_credentials", client_id="me")
    sent["secrets"] = {"client_secret": "canary-4711"}
    sent["config"]["token_url"] = f"http://{CLOSED}:{api.port}/token"
    answer = await owner.post(f"{API}/connections", json=sent)
    assert answer.status_code == 422
    assert "not a public address" in answer.text
    assert api.asked == []


@pytest.mark.feature("A16", "B4")
@pytest.mark.parametrize("connector", DRAFTS)
async def test_a_stored_secret_stays_with_its_server(make_org: MakeOrg, connector: str) -> None:
    owner = await make_org()
    made = await owner.post(f"{API}/connections", json=draft(connector, f"http://{OPENED}:9"))
    assert made.status_code == 201, made.text
    assert "canary" not in made.text
    moved = draft(connector, f"http://{OPENED}:10")["config"]
    one = f"{API}/connections/{made.json()['id']}"
    answer = await owner.patch(one, json={"config": moved})
    assert answer.status_code == 422
    assert "enter" in answer.json()["message"]


@pytest.mark.feature("B4", "B7")
async def test_a_name_is_asked_for_once_and_reached_at_what_it_stood_for(
    make_org: MakeOrg, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [OPENED, CLOSED, CLOSED]

    def lookup(host: str) -> list[tuple[Any, ...]]:
        return [(None, None, None, "", (answers.pop(0), 0))]

    monkeypatch.setattr(network, "_getaddrinfo", lookup)
    api.routes["/"] = lambda asked: Said({})
    owner = await make_org()
    sent = draft("rest", f"http://rebinding.example:{api.port}")
    sent.pop("name")
    answer = await owner.post(f"{API}/connections/test", json=sent)
    assert answer.json()["ok"], answer.text
    assert [asked.headers["Host"] for asked in api.asked] == [f"rebinding.example:{api.port}"]
    assert answers == [CLOSED, CLOSED]


@pytest.mark.feature("B4", "B7", "B8")
async def test_a_rest_connection_is_tested_browsed_and_previewed(
    make_org: MakeOrg, api: ApiServer
) -> None:
    api.routes["/"] = lambda asked: Said({})
    api.routes["/items"] = lambda asked: Said([{"id": 1, "tags": ["a"]}])
    owner = await make_org()
    made = await owner.post(f"{API}/connections", json=draft("rest", api.url))
    one = f"{API}/connections/{made.json()['id']}"
    assert (await owner.post(f"{one}/test")).json()["ok"]
    assert (await owner.get(f"{one}/tables")).json()["items"] == []
    found = await owner.get(f"{one}/columns", params={"table": "items"})
    assert [column["name"] for column in found.json()["items"]] == ["id", "tags"], found.text
    preview = await owner.post(f"{one}/preview", json={"table": "items"})
    assert preview.json()["rows"] == [[1, '["a"]']], preview.text
    assert {asked.headers["Authorization"] for asked in api.asked} == {"Bearer canary-4711"}


@pytest.mark.feature("B4", "C1")
async def test_options_of_a_resource_are_checked_when_it_is_saved(
    make_org: MakeOrg, api: ApiServer
) -> None:
    owner = await make_org()
    made = await owner.post(f"{API}/connections", json=draft("rest", api.url))
    body = {
        "workflow_id": await main_workflow(owner),
        "name": "Items",
        "source_connection_id": made.json()["id"],
        "dataset": "raw",
    }
    wrong = {"paginator": {"type": "magic"}, "path": "http://169.254.169.254/", "color": "red"}
    config = {"resources": [{"name": "items", "options": wrong}]}
    answer = await owner.post(f"{API}/pipelines", json=body | {"config": config})
    assert answer.status_code == 422
    place = "config.resources.0.options"
    assert fields(answer) == {f"{place}.paginator.type", f"{place}.path", f"{place}.color"}
    config = {"resources": [{"name": "items", "options": {"paginator": {"type": "offset"}}}]}
    answer = await owner.post(f"{API}/pipelines", json=body | {"config": config})
    assert answer.status_code == 201, answer.text


@pytest.mark.feature("B3", "D2")
async def test_an_uploaded_json_file_is_connected_and_previewed(make_org: MakeOrg) -> None:
    owner = await make_org()
    content = b'{"id":9007199254740993,"name":"x"}\n'
    upload = await owner.post(f"{API}/uploads", files={"file": ("t.jsonl", content)})
    sent = {"name": "Files", "connector": "json", "config": {"uploads": [upload.json()["id"]]}}
    made = await owner.post(f"{API}/connections", json=sent)
    assert made.status_code == 201, made.text
    one = f"{API}/connections/{made.json()['id']}"
    assert (await owner.post(f"{one}/test")).json()["ok"]
    preview = await owner.post(f"{one}/preview", json={"table": "t.jsonl"})
    assert preview.json()["rows"] == [["9007199254740993", "x"]], preview.text
