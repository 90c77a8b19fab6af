"""Tests of connections: what they find is kept, the newest few, and shown with remedies."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.access import network
from etlfabric_core.services import connection_tests
from tests.api.conftest import MakeOrg, TwoOrgs

PATH = "/api/v1/connections"


@pytest.fixture(scope="session")
async def source(database: EmbeddedPostgres) -> Mapping[str, Any]:
    """The body of a connection whose user may do little."""
    admin = await asyncpg.connect(database.url())
    await admin.execute("CREATE DATABASE poor")
    await admin.execute("CREATE ROLE poor_reader LOGIN PASSWORD 'pw'")
    await admin.close()
    poor = await asyncpg.connect(database.url("poor"))
    await poor.execute("CREATE TABLE closed (id int)")
    await poor.close()
    config = {
        "host": "127.0.0.1",
        "port": database.port,
        "database": "poor",
        "user": "poor_reader",
    }
    secrets = {"password": "pw"}
    return {"name": "Poor", "connector": "postgres", "config": config, "secrets": secrets}


@pytest.mark.feature("B7")
async def test_a_test_tells_time_version_and_missing_rights(
    make_org: MakeOrg, source: Mapping[str, Any]
) -> None:
    owner = await make_org()
    made = (await owner.post(PATH, json=source)).json()
    tested = (await owner.post(f"{PATH}/{made['id']}/test")).json()
    assert tested["ok"] is True
    assert tested["server_version"][:1].isdigit()
    assert 0 <= tested["latency_ms"] < 30_000
    assert {right["direction"] for right in tested["missing"]} == {"source", "destination"}
    assert "GRANT SELECT" in str(tested["missing"])
    body = {**source, "name": "Only a source", "direction": "source"}
    reader = (await owner.post(PATH, json=body)).json()
    (right,) = (await owner.post(f"{PATH}/{reader['id']}/test")).json()["missing"]
    assert right["direction"] == "source"
    draft = {key: source[key] for key in ("connector", "config", "secrets")}
    assert len((await owner.post(f"{PATH}/test", json=draft)).json()["missing"]) == 2
    managed = (await owner.get(PATH)).json()["items"][0]
    assert (await owner.post(f"{PATH}/{managed['id']}/test")).json()["missing"] == []


@pytest.mark.feature("B7")
async def test_the_last_tests_are_kept(
    make_org: MakeOrg, source: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_tests, "MOST_KEPT", 3)
    owner = await make_org()
    one = f"{PATH}/{(await owner.post(PATH, json=source)).json()['id']}"
    assert (await owner.get(f"{one}/tests")).json()["items"] == []
    for _ in range(2):
        assert (await owner.post(f"{one}/test")).json()["ok"] is True
    assert (await owner.patch(one, json={"secrets": {"password": "wrong"}})).is_success
    for _ in range(2):
        failed = (await owner.post(f"{one}/test")).json()
    assert failed["ok"] is False
    history = (await owner.get(f"{one}/tests")).json()["items"]
    assert [test["ok"] for test in history] == [False, False, True]
    assert history[0] == failed
    assert (await owner.get(one)).json()["status"] == "error"
    first = (await owner.get(f"{one}/tests", params={"limit": 1})).json()
    rest = await owner.get(f"{one}/tests", params={"cursor": first["next_cursor"]})
    assert rest.json()["items"] == history[1:]


@pytest.mark.feature("B7")
async def test_a_host_that_is_not_found_any_more_is_kept_as_a_failure(
    make_org: MakeOrg, source: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await make_org()
    named = {**source, "config": {**source["config"], "host": "localhost"}}
    made = await owner.post(PATH, json=named)
    assert made.status_code == 201, made.text
    one = f"{PATH}/{made.json()['id']}"

    def unknown(host: str) -> Any:
        raise OSError(f"{host} is unknown")

    monkeypatch.setattr(network, "_getaddrinfo", unknown)
    assert (await owner.post(f"{one}/test")).json()["ok"] is False
    (kept,) = (await owner.get(f"{one}/tests")).json()["items"]
    assert "localhost" in kept["message"]
    assert kept["hint"]


@pytest.mark.feature("A18")
async def test_the_history_is_the_organization_s_own(
    two_orgs: TwoOrgs, source: Mapping[str, Any]
) -> None:
    one = f"{PATH}/{(await two_orgs.b.post(PATH, json=source)).json()['id']}"
    assert (await two_orgs.b.post(f"{one}/test")).json()["ok"] is True
    assert (await two_orgs.a.get(f"{one}/tests")).status_code == 404
    assert (await two_orgs.a.post(f"{one}/test")).status_code == 404
