"""Transformations that dbt checks, revisions, restoring, and the feed that Airflow follows."""

import asyncio
import io
import json
import zipfile
from typing import Any

import asyncpg
import pytest

from etlfabric_core.settings import Settings
from tests.api.test_workflow_graph import API, main_workflow, make_pipeline

INTERNAL = "/internal/v1"
SQL = "select a, b\nfrom {{ source('raw', 'orders') }}\n"


def model(workflow: int, name: str, sql: str, **config: Any) -> dict[str, Any]:
    return {
        "workflow_id": workflow,
        "kind": "dbt_model",
        "name": name,
        "slug": name,
        "dataset": "marts",
        "config": {"sql": sql, "materialization": "table"} | config,
    }


async def post(client: Any, path: str, body: Any = None, status: int = 200) -> Any:
    answer = await client.post(f"{API}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def with_model(client: Any) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """The main workflow with a pipeline and a model that reads it."""
    pipeline = await make_pipeline(client)
    body = model(pipeline["workflow_id"], "stg_orders", SQL)
    return pipeline["workflow_id"], pipeline, await post(client, "transformations", body, 201)


@pytest.fixture
def airflow(settings: Settings) -> dict[str, str]:
    """The headers of Airflow's side."""
    return {"Authorization": f"Bearer {settings.internal_token.get_secret_value()}"}


@pytest.mark.feature("F1", "F5", "G1", "G4")
async def test_a_model_is_checked_stored_and_joined_to_what_it_reads(make_org: Any) -> None:
    client = await make_org()
    workflow, pipeline, stored = await with_model(client)
    graph = (await client.get(f"{API}/workflows/{workflow}/graph")).json()
    assert graph["derived_edges"] == [
        {"upstream_id": pipeline["id"], "downstream_id": stored["id"]}
    ]
    body = model(workflow, "daily", "select a from {{ ref('stg_orders') }}")
    checked = await post(client, "transformations/check", body)
    assert checked["problems"] == []
    assert f"{client.slug}_marts" in checked["compiled_sql"]
    assert "ref(" not in checked["compiled_sql"]
    names = (await client.get(f"{API}/transformations")).json()["items"]
    assert [one["slug"] for one in names] == ["stg_orders"], "a check stores nothing"

    refused = await client.delete(f"{API}/pipelines/{pipeline['id']}")
    assert refused.status_code == 409
    assert "stg_orders" in refused.json()["message"]


@pytest.mark.parametrize(
    ("sql", "says", "line"),
    [
        ("select a\nfrom {{ source('raw', 'orders') }\n", "}", None),
        ("select a,,\nfrom {{ source('raw', 'orders') }}\n", "", 1),
        ("select a\nfrom {{ source('raw', 'orders') }}\nwher a = 1 1\n", "", 3),
        ("select a from {{ ref('nowhere') }}", "nowhere", None),
        ("select a from {{ source('raw', 'nothing') }}", "nothing", None),
        ("select 1 as a; drop table x", "one query", None),
        ("select a from {{ ref('self_made') }}", "self_made", None),
    ],
)
@pytest.mark.feature("F5")
async def test_a_broken_model_is_refused_and_nothing_is_stored(
    make_org: Any, sql: str, says: str, line: int | None
) -> None:
    client = await make_org()
    pipeline = await make_pipeline(client)
    body = model(pipeline["workflow_id"], "self_made", sql)
    answer = await client.post(f"{API}/transformations", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()["problems"][0]
    assert says in answer.json()["message"] + problem["message"]
    assert problem["node"] == "self_made"
    assert line is None or problem["line"] == line
    assert (await client.get(f"{API}/transformations")).json()["items"] == []
    checked = await post(client, "transformations/check", body)
    assert checked["problems"][0]["message"] == problem["message"]


async def test_a_broken_edit_leaves_the_stored_model_alone(make_org: Any) -> None:
    client = await make_org()
    _, _, stored = await with_model(client)
    url = f"{API}/transformations/{stored['id']}"
    broken = {"config": stored["config"] | {"sql": "select a frm x y z"}}
    assert (await client.patch(url, json=broken)).status_code == 422
    assert (await client.get(url)).json() == stored
    good = {"config": stored["config"] | {"sql": SQL + "where a is not null"}}
    edits = await asyncio.gather(
        *(client.patch(url, json=good, headers={"If-Match": "1"}) for _ in range(2))
    )
    assert sorted(edit.status_code for edit in edits) == [200, 412]


@pytest.mark.feature("F5")
async def test_preview_reads_as_the_organization_and_nothing_else(two_orgs: Any) -> None:
    client, other = two_orgs.a, two_orgs.b
    workflow = await main_workflow(client)
    sql = "select n, n * 0.5 as half, current_user::text as who from generate_series(1, 500) n"
    stored = await post(client, "transformations", model(workflow, "numbers", sql), 201)
    rows = await post(client, f"transformations/{stored['id']}/preview", {"limit": 3})
    assert [column["name"] for column in rows["columns"]] == ["n", "half", "who"]
    assert rows["rows"][0] == [1, "0.5", f"org_{client.slug}"]
    assert len(rows["rows"]) == 3
    for path in ("", "/failures"):
        answer = await other.get(f"{API}/transformations/{stored['id']}{path}")
        assert answer.status_code == 404
    for path in ("preview",):
        answer = await other.post(f"{API}/transformations/{stored['id']}/{path}")
        assert answer.status_code == 404
    assert (await other.patch(f"{API}/transformations/{stored['id']}", json={})).status_code == 404
    assert (await other.delete(f"{API}/transformations/{stored['id']}")).status_code == 404

    _, _, foreign = await with_model(other)
    assert foreign["slug"] == "stg_orders"
    spy = f"select * from {other.slug}_raw.orders"
    answer = await client.post(f"{API}/transformations", json=model(workflow, "spy", spy))
    assert answer.status_code == 422, "the role may not read another organization's schema"


@pytest.mark.feature("K4")
async def test_publish_makes_a_revision_only_when_something_changed(
    client: Any, make_org: Any, airflow: dict[str, str]
) -> None:
    owner = await make_org()
    workflow, pipeline, stored = await with_model(owner)
    assert (await post(owner, f"workflows/{workflow}/check")) == {"ok": True, "problems": []}
    first = await post(owner, f"workflows/{workflow}/publish")
    assert (first["changed"], first["revision"]["number"]) == (True, 1)
    again = await post(owner, f"workflows/{workflow}/publish")
    assert (again["changed"], again["revision"]["number"]) == (False, 1)

    moved = {"position": {"x": 10, "y": 20}}
    await owner.patch(f"{API}/pipelines/{pipeline['id']}", json=moved)
    assert (await post(owner, f"workflows/{workflow}/publish"))["changed"] is False

    config = stored["config"] | {"sql": SQL + "where a is not null"}
    await owner.patch(f"{API}/transformations/{stored['id']}", json={"config": config})
    second = await post(owner, f"workflows/{workflow}/publish")
    assert second["revision"]["number"] == 2
    assert second["revision"]["changes"] == [
        {"node": "stg_orders", "change": "changed", "fields": ["config.sql"]}
    ]
    listed = (await owner.get(f"{API}/workflows/{workflow}/revisions")).json()["items"]
    assert [one["number"] for one in listed] == [2, 1]

    url = f"{INTERNAL}/specs/{owner.slug}/main"
    spec = (await client.get(url, headers=airflow)).json()["spec"]
    assert spec["revision"] == 2
    assert spec["nodes"][1]["upstream"] == ["load_orders"]
    assert spec["pool"] == f"org_{owner.slug}"
    assert list(spec["dbt"]["loads"].values()) == ["load_orders"]
    blob = await client.get(f"{INTERNAL}/blobs/{spec['dbt']['manifest_sha256']}", headers=airflow)
    assert set(spec["dbt"]["models"]) <= set(json.loads(blob.content)["nodes"])
    blob = await client.get(f"{INTERNAL}/blobs/{spec['dbt']['project_sha256']}", headers=airflow)
    archive = zipfile.ZipFile(io.BytesIO(blob.content))
    assert b"where a is not null" in archive.read("models/stg_orders.sql")


@pytest.mark.feature("K4")
async def test_restore_brings_an_old_revision_back(make_org: Any) -> None:
    owner = await make_org()
    workflow, pipeline, stored = await with_model(owner)
    extra = await make_pipeline(owner, "extra")
    ends = {"upstream_id": pipeline["id"], "downstream_id": extra["id"]}
    await post(owner, "edges", ends, 201)
    first = await post(owner, f"workflows/{workflow}/publish")
    assert (await owner.delete(f"{API}/pipelines/{extra['id']}")).status_code == 204
    config = stored["config"] | {"sql": "select 2 as a"}
    await owner.patch(f"{API}/transformations/{stored['id']}", json={"config": config})
    await make_pipeline(owner, "later")
    second = await post(owner, f"workflows/{workflow}/publish")
    assert second["revision"]["number"] == 2

    third = await post(owner, f"workflows/{workflow}/revisions/1/restore")
    assert (third["changed"], third["revision"]["number"]) == (True, 3)
    assert third["revision"]["content_hash"] == first["revision"]["content_hash"]
    graph = (await owner.get(f"{API}/workflows/{workflow}/graph")).json()
    assert sorted(n["slug"] for n in graph["nodes"]) == ["load_extra", "load_orders", "stg_orders"]
    assert len(graph["edges"]) == 1
    restored = (await owner.get(f"{API}/transformations/{stored['id']}")).json()
    assert restored["config"] == stored["config"]
    missing = await owner.post(f"{API}/workflows/{workflow}/revisions/99/restore")
    assert missing.status_code == 404


async def test_an_invalid_graph_never_replaces_a_good_revision(
    client: Any, make_org: Any, airflow: dict[str, str]
) -> None:
    owner = await make_org()
    workflow, pipeline, _ = await with_model(owner)
    await post(owner, f"workflows/{workflow}/publish")
    gone = {"config": {"resources": [{"name": "other", "source": "t.csv"}]}}
    assert (await owner.patch(f"{API}/pipelines/{pipeline['id']}", json=gone)).status_code == 200
    answer = await owner.post(f"{API}/workflows/{workflow}/publish")
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["node"] == "stg_orders"
    check = await post(owner, f"workflows/{workflow}/check")
    assert check["ok"] is False
    url = f"{INTERNAL}/specs/{owner.slug}/main"
    assert (await client.get(url, headers=airflow)).json()["spec"]["revision"] == 1
    empty = await post(owner, "workflows", {"name": "Empty"}, 201)
    assert (await owner.post(f"{API}/workflows/{empty['id']}/publish")).status_code == 422


async def test_the_feed_tells_each_change_once_and_in_order(
    client: Any, make_org: Any, airflow: dict[str, str]
) -> None:
    async def feed(after: int, **query: Any) -> dict[str, Any]:
        answer = await client.get(
            f"{INTERNAL}/publications", params={"after": after, **query}, headers=airflow
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    start = 0
    while not (page := await feed(start))["complete"]:
        start = page["last_seq"]
    start = page["last_seq"]
    assert (await feed(start))["publications"] == []

    orgs = [await make_org() for _ in range(3)]
    flows = [(org, (await make_pipeline(org))["workflow_id"]) for org in orgs]
    await asyncio.gather(*(post(org, f"workflows/{flow}/publish") for org, flow in flows))
    schedule = {"workflow_id": flows[0][1], "cron": "0 6 * * *"}
    await post(orgs[0], "schedules", schedule, 201)
    await post(orgs[0], f"workflows/{flows[0][1]}/publish")
    page = await feed(start)
    assert page["complete"] is True
    newest = {one["org"]: one["spec"]["revision"] for one in page["publications"]}
    assert newest == {orgs[0].slug: 2, orgs[1].slug: 1, orgs[2].slug: 1}
    assert [one["seq"] for one in page["publications"]] == sorted(
        one["seq"] for one in page["publications"]
    )
    short = await feed(start, limit=1)
    assert (short["complete"], len(short["publications"])) == (False, 1)

    old = page["last_seq"]
    url = f"{INTERNAL}/specs/{orgs[0].slug}/main"
    assert (await orgs[0].delete(f"{API}/workflows/{flows[0][1]}")).status_code == 204
    last = (await feed(old))["publications"]
    assert [(one["org"], one["spec"]) for one in last] == [(orgs[0].slug, None)]
    assert (await client.get(url, headers=airflow)).json()["spec"] is None
    before = await client.get(url, params={"at": old}, headers=airflow)
    assert before.json()["spec"]["revision"] == 2
    assert before.json()["spec"]["schedules"][0]["cron"] == "0 6 * * *"


@pytest.mark.feature("A18")
async def test_the_feed_is_closed_to_everybody_else(client: Any, make_org: Any) -> None:
    owner = await make_org()
    for path in ("publications", "specs/acme/main", f"blobs/{'0' * 64}"):
        for caller in (client, owner):
            assert (await caller.get(f"{INTERNAL}/{path}")).status_code == 401


async def test_a_blob_is_named_by_its_hash_alone(client: Any, airflow: dict[str, str]) -> None:
    missing = await client.get(f"{INTERNAL}/blobs/{'0' * 64}", headers=airflow)
    assert missing.status_code == 404
    for name in ("..%2Fuploads%2Fx", "x" * 64, "0" * 63):
        answer = await client.get(f"{INTERNAL}/blobs/{name}", headers=airflow)
        assert answer.status_code in (404, 422)


@pytest.mark.feature("F7")
async def test_failed_rows_are_read_from_the_organizations_own_schema_only(
    two_orgs: Any, settings: Settings
) -> None:
    client, other = two_orgs.a, two_orgs.b
    workflow = await main_workflow(client)
    stored = await post(client, "transformations", model(workflow, "numbers", "select 1 as n"), 201)
    await post(
        other,
        "transformations",
        model(await main_workflow(other), "numbers", "select 1 as n"),
        201,
    )
    for org in (client, other):
        url = settings.warehouse_url.get_secret_value()
        admin = await asyncpg.connect(url)
        table = f"{org.slug}_test_failures.not_null_numbers_n"
        await admin.execute(f"SET ROLE org_{org.slug}")
        await admin.execute(f"CREATE TABLE {table} AS SELECT 7 AS n, '{org.slug}' AS who")
        await admin.close()
    results = [
        {
            "unique_id": f"test.{number}",
            "status": "warn",
            "failures": 1,
            "failures_relation": relation,
            "seconds": 0.1,
        }
        for number, relation in enumerate(
            (
                f'"warehouse"."{client.slug}_test_failures"."not_null_numbers_n"',
                f"{other.slug}_test_failures.not_null_numbers_n",
                f"{client.slug}_test_failures.long_gone",
            )
        )
    ]
    report = {
        "run": {
            "dag_id": f"{client.slug}.main",
            "run_id": "manual__1",
            "run_type": "manual",
            "node": "numbers",
            "revision": 1,
            "try_number": 1,
        },
        "outcome": "success",
        "transform": {"nodes": results, "seconds": 1.0},
    }
    token = settings.internal_token.get_secret_value()
    sent = await client.post(
        f"{INTERNAL}/reports", json=report, headers={"Authorization": f"Bearer {token}"}
    )
    assert sent.status_code == 204, sent.text
    url = f"{API}/transformations/{stored['id']}/failures"
    found = (await client.get(url, params={"run_id": "manual__1"})).json()["items"]
    assert found[0]["rows"]["rows"] == [[7, client.slug]]
    assert [one["rows"] for one in found[1:]] == [None, None]
    assert (await client.get(url)).json()["items"] == found
    assert (await client.get(url, params={"run_id": "manual__2"})).json()["items"] == []
