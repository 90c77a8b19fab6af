"""Destinations beside the warehouse: what they can do is data, and what they cannot is refused."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from etlfabric_core.connectors import CONNECTORS
from etlfabric_core.connectors.record import Direction
from etlfabric_core.db.scope import org_session
from etlfabric_core.services import connections, databases
from tests.api.test_workflow_graph import API, fields, main_workflow, pipeline_body, source
from tests.destinations import DATASET, DuckdbTarget

KEPT = {"name": "Lake", "connector": "duckdb", "config": {}, "direction": "both"}
ASKED: list[tuple[str, dict[str, Any], str]] = [
    ("mssql", {"deletes": "hard"}, "deletes"),
    ("mysql", {"merge_strategy": "upsert"}, "merge_strategy"),
    ("mysql", {"write_disposition": "insert"}, "write_disposition"),
]
KEYED = {"name": "t", "source": "t.csv", "write_disposition": "merge", "primary_key": ["a"]}


async def destination(client: Any, connector: str) -> int:
    config = {} if connector == "duckdb" else {"host": "127.0.0.1", "database": "d", "user": "u"}
    body = {"name": connector, "connector": connector, "config": config}
    made = await client.post(f"{API}/connections", json={**body, "direction": "both"})
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


@pytest.mark.feature("B5")
async def test_the_registry_says_what_destinations_do(make_org: Any) -> None:
    client = await make_org()
    shown = {one["name"]: one for one in (await client.get(f"{API}/registry/connectors")).json()}
    for name, connector in CONNECTORS.items():
        assert (shown[name]["loading"] is not None) == (
            Direction.DESTINATION in connector.directions
        )
    assert shown["postgres"]["loading"]["guarantee"] == "exactly once in effect"
    for name, able in (("duckdb", True), ("mysql", True), ("mssql", False), ("s3", False)):
        assert ("deletes" in shown[name]["loading"]["abilities"]) is able
    assert "state" not in shown["s3"]["loading"]["abilities"]


@pytest.mark.feature("B5")
@pytest.mark.parametrize(("connector", "asked", "field"), ASKED)
async def test_what_a_destination_cannot_do_is_refused(
    make_org: Any, connector: str, asked: dict[str, Any], field: str
) -> None:
    client = await make_org()
    workflow, files = await main_workflow(client), await source(client)
    to = {"destination_connection_id": await destination(client, connector)}
    body = pipeline_body(workflow, files, config={"resources": [{**KEYED, **asked}]}) | to
    refused = await client.post(f"{API}/pipelines", json=body)
    assert refused.status_code == 422, refused.text
    assert fields(refused) == {f"config.resources.0.{field}"}
    made = await client.post(f"{API}/pipelines", json=body | {"config": {"resources": [KEYED]}})
    assert made.status_code == 201, made.text
    changed = {"config": {"resources": [{**KEYED, **asked}]}}
    path = f"{API}/pipelines/{made.json()['id']}"
    version = {"If-Match": made.headers.get("ETag", "*")}
    assert (await client.patch(path, json=changed, headers=version)).status_code == 422


BUCKET = {"bucket": "a-bucket", "endpoint_url": "http://127.0.0.1:9"}
LAKE = {"name": "Lake", "connector": "s3", "direction": "both"}
MERGE = {"config": {"resources": [KEYED], "schema_changes": "hold"}}
DISCARD = {**KEYED, "contract": {"columns": "discard_row"}}


@pytest.mark.feature("B5")
async def test_what_a_bucket_can_do_depends_on_its_format(make_org: Any) -> None:
    client = await make_org()
    workflow, files = await main_workflow(client), await source(client)
    answers = []
    for format_ in ("parquet", "delta"):
        config = BUCKET | {"table_format": format_}
        body = LAKE | {"name": format_, "config": config}
        connection = await client.post(f"{API}/connections", json=body)
        assert connection.status_code == 201, connection.text
        to = {"destination_connection_id": connection.json()["id"]}
        pipeline = pipeline_body(workflow, files, name=format_) | to
        answers.append(await client.post(f"{API}/pipelines", json=pipeline | MERGE))
    refused, made = answers
    assert refused.status_code == 422, refused.text
    place = "config.resources.0.write_disposition"
    assert fields(refused) == {place, "config.schema_changes"}
    assert made.status_code == 201, made.text
    rejects = await client.post(
        f"{API}/pipelines", json=pipeline | {"config": {"resources": [DISCARD]}, "name": "x"}
    )
    assert fields(rejects) == {"config.resources.0.on_bad_row"}, rejects.text
    body = LAKE | {"name": "x", "config": BUCKET | {"table_format": "hudi"}}
    assert (await client.post(f"{API}/connections", json=body)).status_code == 422


@pytest.mark.feature("B5")
async def test_the_registry_says_what_each_format_does(make_org: Any) -> None:
    client = await make_org()
    shown = (await client.get(f"{API}/registry/connectors")).json()
    (s3,) = [one for one in shown if one["name"] == "s3"]
    (when,) = s3["loading_when"]
    assert (when["field"], when["value"]) == ("table_format", "delta")
    assert "merge" in when["loading"]["dispositions"]
    assert "merge" not in s3["loading"]["dispositions"]
    assert s3["config"]["$defs"]["TableFormat"]["enum"] == ["parquet", "delta"]


@pytest.mark.feature("B5", "B10")
async def test_the_platform_keeps_a_database_for_the_organization_alone(
    app: FastAPI, two_orgs: Any
) -> None:
    a, b = two_orgs.a, two_orgs.b
    made = (await a.post(f"{API}/connections", json=KEPT)).json()
    tested = await a.post(f"{API}/connections/{made['id']}/test")
    assert tested.json()["ok"], tested.text
    wiring = app.state.wiring
    async with org_session(wiring.sessions, a.org_id) as session:
        name = databases.file_name(await connections.get(session, made["id"]))
    assert name == Path(str(a.org_id)) / f"{made['id']}.duckdb"
    file = wiring.settings.databases_dir / name
    file.parent.mkdir(parents=True, exist_ok=True)
    DuckdbTarget(file).execute("create table people as select 'canary' as who")
    tables = f"{API}/connections/{made['id']}/tables"
    listed = await a.get(tables)
    assert [one["source"] for one in listed.json()["items"]] == [f"{DATASET}.people"], listed.text
    shown = await a.post(
        f"{API}/connections/{made['id']}/preview", json={"table": f"{DATASET}.people"}
    )
    assert "canary" in shown.text, shown.text
    assert (await b.get(tables)).status_code == 404
    theirs = (await b.post(f"{API}/connections", json=KEPT)).json()
    assert (await b.get(f"{API}/connections/{theirs['id']}/tables")).json()["items"] == []
    for path in ("../1.duckdb", str(file)):
        body = KEPT | {"name": "x", "config": {"database_file": path}}
        assert (await b.post(f"{API}/connections", json=body)).status_code == 422
    databases.forget(wiring.settings.databases_dir, a.org_id)
    assert not file.exists()


PERIOD = {"from_date": "2024-01-01", "to_date": "2024-01-02"}


@pytest.mark.feature("B5", "X5")
async def test_a_backfill_that_a_destination_cannot_take_is_refused_when_it_is_planned(
    make_org: Any,
) -> None:
    client = await make_org()
    made = await client.post(f"{API}/connections", json=LAKE | {"name": "b", "config": BUCKET})
    assert made.status_code == 201, made.text
    to_bucket = {"destination_connection_id": made.json()["id"], "slug": "to_bucket"}
    table = {"name": "t", "source": "t.csv"}
    workflow, files = await main_workflow(client), await source(client)
    body = pipeline_body(workflow, files, config={"resources": [table]}) | to_bucket
    pipeline = (await client.post(f"{API}/pipelines", json=body)).json()
    schedule = {"workflow_id": workflow, "cron": "0 5 * * *", "timezone": "UTC"}
    assert (await client.post(f"{API}/schedules", json=schedule)).status_code == 201

    async def answers(resource: dict[str, Any]) -> list[Any]:
        path, config = f"{API}/pipelines/{pipeline['id']}", {"resources": [resource]}
        saved = await client.patch(path, json={"config": config}, headers={"If-Match": "*"})
        assert saved.status_code == 200, saved.text
        published = await client.post(f"{API}/workflows/{workflow}/publish")
        assert published.status_code == 200, published.text
        path = f"{API}/workflows/{workflow}/backfills"
        return [await client.post(f"{path}{tail}", json=PERIOD) for tail in ("/plan", "")]

    followed = table | {"columns": {"a": {"type": "timestamp"}}, "cursor": {"column": "a"}}
    for answer in await answers(followed):
        assert answer.status_code == 409, answer.text
        assert "pipeline 'to_bucket' loads into S3" in answer.json()["message"]
    counted = table | {"columns": {"a": {"type": "integer"}}, "cursor": {"column": "a"}}
    for resource in (table, counted):
        for answer in await answers(resource):  # it goes on to Airflow, and there is none here
            assert answer.status_code not in (409, 422), answer.text


@pytest.mark.feature("B5")
async def test_an_uploaded_database_is_only_read(make_org: Any) -> None:
    client = await make_org()
    workflow, files = await main_workflow(client), await source(client)
    upload = await client.post(f"{API}/uploads", files={"file": ("d.duckdb", b"x" * 8 + b"DUCK")})
    config = {"uploads": [upload.json()["id"]]}
    body = {"name": "Old", "connector": "duckdb", "config": config, "direction": "both"}
    made = (await client.post(f"{API}/connections", json=body)).json()
    pipeline = pipeline_body(workflow, files) | {"destination_connection_id": made["id"]}
    refused = await client.post(f"{API}/pipelines", json=pipeline)
    assert refused.status_code == 422, refused.text
    assert fields(refused) == {"destination_connection_id"}
