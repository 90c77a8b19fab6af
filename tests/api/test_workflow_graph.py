"""Workflows, pipelines, edges and schedules over the API: right ones, wrong ones, foreign ones."""

import asyncio
from typing import Any

import pytest

API = "/api/v1"


async def source(client: Any, slug: str = "files") -> int:
    """A source connection that reads an upload."""
    upload = await client.post(f"{API}/uploads", files={"file": ("t.csv", b"a,b\n1,2\n")})
    assert upload.status_code == 201, upload.text
    body = {
        "name": slug,
        "slug": slug,
        "connector": "csv",
        "direction": "source",
        "config": {"uploads": [upload.json()["id"]]},
    }
    answer = await client.post(f"{API}/connections", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def main_workflow(client: Any) -> int:
    items = (await client.get(f"{API}/workflows")).json()["items"]
    return int(next(item["id"] for item in items if item["slug"] == "main"))


def pipeline_body(workflow: int, connection: int, **other: Any) -> dict[str, Any]:
    table = other.pop("table", "orders")
    return {
        "workflow_id": workflow,
        "name": f"Load {table}",
        "source_connection_id": connection,
        "dataset": "raw",
        "config": {"resources": [{"name": table, "source": "t.csv"}]},
    } | other


async def make_pipeline(client: Any, table: str = "orders", **other: Any) -> dict[str, Any]:
    workflow = other.pop("workflow", None) or await main_workflow(client)
    connection = await source(client, f"files_{table}")
    body = pipeline_body(workflow, connection, table=table, **other)
    answer = await client.post(f"{API}/pipelines", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def fields(answer: Any) -> set[str]:
    return {problem["field"] for problem in answer.json()["problems"]}


@pytest.mark.feature("C3")
async def test_a_pipeline_of_thousands_of_tables_is_saved_as_it_was_read(make_org: Any) -> None:
    """As its page does it: with every setting of every table."""
    client = await make_org()
    names = [f"a_table_of_a_large_database_{number}" for number in range(5000)]
    config = {"resources": [{"name": name, "source": "t.csv"} for name in names]}
    made = await make_pipeline(client, config=config)
    url = f"{API}/pipelines/{made['id']}"
    answer = await client.patch(url, json={"config": made["config"] | {"batch_size": 1000}})
    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.json()["config"]["resources"]) == 5000


@pytest.mark.feature("C1", "C8", "B6", "D10")
async def test_a_pipeline_is_made_read_changed_and_deleted(make_org: Any) -> None:
    client = await make_org()
    made = await make_pipeline(client)
    assert made["slug"] == "load_orders"
    assert made["version"] == 1
    managed = next(
        one
        for one in (await client.get(f"{API}/connections")).json()["items"]
        if one["slug"] == "warehouse"
    )
    assert made["destination_connection_id"] == managed["id"]
    url = f"{API}/pipelines/{made['id']}"
    assert (await client.get(url)).json() == made

    changed = await client.patch(url, json={"retries": 2}, headers={"If-Match": '"1"'})
    assert (changed.json()["retries"], changed.json()["version"]) == (2, 2)
    assert (await client.delete(url)).status_code == 204
    assert (await client.get(url)).status_code == 404
    again = await client.post(
        f"{API}/pipelines",
        json=pipeline_body(made["workflow_id"], made["source_connection_id"]),
    )
    assert again.status_code == 201, "the name of a deleted pipeline is free again"


async def test_a_stale_edit_answers_412_and_changes_nothing(make_org: Any) -> None:
    client = await make_org()
    made = await make_pipeline(client)
    url = f"{API}/pipelines/{made['id']}"
    answers = await asyncio.gather(
        *(
            client.patch(url, json={"name": f"Name {n}"}, headers={"If-Match": "1"})
            for n in range(5)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    winner = next(answer for answer in answers if answer.status_code == 200)
    assert (await client.get(url)).json() == winner.json()
    assert (await client.patch(url, json={}, headers={"If-Match": "x"})).status_code == 422


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"name": "x" * 121}, 422, "name"),
        ({"name": ""}, 422, "name"),
        ({"name": "数据"}, 422, "name"),
        ({"slug": "Not A Slug"}, 422, "slug"),
        ({"slug": "a" * 41}, 422, "slug"),
        ({"slug": "begin"}, 422, "slug"),
        ({"dataset": "Bad-Name"}, 422, "dataset"),
        ({"dataset": "raw_staging"}, 422, "dataset"),
        ({"config": {"resources": []}}, 422, "config"),
        ({"config": {"resources": [{"name": "a", "write_disposition": "merge"}]}}, 422, None),
        ({"config": {"surprise": 1}}, 422, "config.surprise"),
        ({"retries": -1}, 422, "retries"),
    ],
)
@pytest.mark.feature("C5")
async def test_a_wrong_pipeline_names_the_field(
    make_org: Any, change: dict[str, Any], status: int, field: str | None
) -> None:
    client = await make_org()
    body = pipeline_body(await main_workflow(client), await source(client)) | change
    answer = await client.post(f"{API}/pipelines", json=body)
    assert answer.status_code == status, answer.text
    assert field is None or field in fields(answer)
    assert (await client.get(f"{API}/pipelines")).json()["items"] == [], "nothing half-saved"


async def test_names_outside_ascii_make_a_slug_of_what_is_left(make_org: Any) -> None:
    client = await make_org()
    made = await make_pipeline(client, name="Übersicht für 2024")
    assert made["slug"] == "ubersicht_fur_2024"
    assert made["name"] == "Übersicht für 2024"


async def test_a_name_twice_is_a_conflict_that_says_what_to_do(make_org: Any) -> None:
    client = await make_org()
    made = await make_pipeline(client)
    body = pipeline_body(made["workflow_id"], made["source_connection_id"])
    answer = await client.post(f"{API}/pipelines", json=body)
    assert answer.status_code == 409
    assert fields(answer) == {"slug"}
    assert "slug" in answer.json()["hint"]


@pytest.mark.feature("B6")
async def test_a_connection_is_used_only_in_its_direction(make_org: Any) -> None:
    client = await make_org()
    workflow, connection = await main_workflow(client), await source(client)
    managed = next(
        one["id"]
        for one in (await client.get(f"{API}/connections")).json()["items"]
        if one["slug"] == "warehouse"
    )
    wrong_source = await client.post(f"{API}/pipelines", json=pipeline_body(workflow, managed))
    assert (wrong_source.status_code, fields(wrong_source)) == (422, {"source_connection_id"})
    body = pipeline_body(workflow, connection, destination_connection_id=connection)
    wrong_target = await client.post(f"{API}/pipelines", json=body)
    assert (wrong_target.status_code, fields(wrong_target)) == (422, {"destination_connection_id"})


async def test_two_pipelines_never_load_one_table(make_org: Any) -> None:
    client = await make_org()
    first = await make_pipeline(client)
    body = pipeline_body(first["workflow_id"], first["source_connection_id"], name="Other")
    answer = await client.post(f"{API}/pipelines", json=body)
    assert answer.status_code == 422
    assert "raw.orders" in answer.json()["message"]
    assert "load_orders" in answer.json()["message"]


@pytest.mark.feature("G1", "G2")
async def test_edges_are_checked_and_a_cycle_is_named(make_org: Any) -> None:
    client = await make_org()
    a, b = await make_pipeline(client, "a"), await make_pipeline(client, "b")
    other = await client.post(f"{API}/workflows", json={"name": "Other"})
    c = await make_pipeline(client, "c", workflow=other.json()["id"])

    async def draw(above: int, below: int) -> Any:
        ends = {"upstream_id": above, "downstream_id": below}
        return await client.post(f"{API}/edges", json=ends)

    drawn = await draw(a["id"], b["id"])
    assert drawn.status_code == 201
    assert (await draw(a["id"], b["id"])).status_code == 409
    back = await draw(b["id"], a["id"])
    assert back.status_code == 422
    assert "load_a -> load_b -> load_a" in back.json()["message"]
    assert (await draw(a["id"], a["id"])).status_code == 422
    assert (await draw(a["id"], c["id"])).status_code == 422
    assert (await draw(a["id"], 10**9)).status_code == 404

    graph = (await client.get(f"{API}/workflows/{a['workflow_id']}/graph")).json()
    assert [(e["upstream_id"], e["downstream_id"]) for e in graph["edges"]] == [(a["id"], b["id"])]
    assert graph["problems"] == []
    assert (await client.delete(f"{API}/edges/{drawn.json()['id']}")).status_code == 204
    assert (await draw(b["id"], a["id"])).status_code == 201


async def test_two_edits_at_once_never_make_a_cycle(make_org: Any) -> None:
    client = await make_org()
    a, b = await make_pipeline(client, "a"), await make_pipeline(client, "b")
    pairs = [(a["id"], b["id"]), (b["id"], a["id"])] * 3
    answers = await asyncio.gather(
        *(
            client.post(f"{API}/edges", json={"upstream_id": above, "downstream_id": below})
            for above, below in pairs
        )
    )
    assert sorted(answer.status_code for answer in answers).count(201) == 1


@pytest.mark.feature("H1", "H2", "H4")
async def test_schedules_are_validated_and_explained(make_org: Any) -> None:
    client = await make_org()
    workflow = await main_workflow(client)
    body = {"workflow_id": workflow, "cron": "0  6 * * 1-5", "timezone": "America/New_York"}
    made = await client.post(f"{API}/schedules", json=body)
    assert made.status_code == 201, made.text
    answer = made.json()
    assert answer["description"] == "At 06:00, Monday through Friday"
    assert answer["cron"] == "0 6 * * 1-5"
    assert len(answer["next_runs"]) == 5
    assert answer["start"].endswith(":00Z")
    second = await client.post(f"{API}/schedules", json=body | {"slug": "second"})
    assert second.status_code == 409
    off = await client.post(f"{API}/schedules", json=body | {"slug": "off", "enabled": False})
    assert off.status_code == 201
    url = f"{API}/schedules/{off.json()['id']}"
    assert (await client.patch(url, json={"enabled": True})).status_code == 409
    first = f"{API}/schedules/{answer['id']}"
    assert (await client.patch(first, json={"enabled": False})).status_code == 200
    assert (await client.patch(url, json={"enabled": True})).status_code == 200
    assert (await client.delete(first)).status_code == 204


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cron": "every day"}, "cron"),
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "0 0 31 2 *"}, "cron"),
        ({"cron": "* * * * * *"}, "cron"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"missed_runs": "maybe"}, "missed_runs"),
    ],
)
@pytest.mark.feature("H1")
async def test_a_wrong_schedule_names_the_field(
    make_org: Any, change: dict[str, Any], field: str
) -> None:
    client = await make_org()
    body = {"workflow_id": await main_workflow(client), "cron": "0 6 * * *"} | change
    answer = await client.post(f"{API}/schedules", json=body)
    assert (answer.status_code, fields(answer)) == (422, {field})
    assert (await client.get(f"{API}/schedules")).json()["items"] == []


async def test_schedule_preview_follows_the_zone(make_org: Any) -> None:
    client = await make_org()
    body = {"cron": "30 6 * * *", "timezone": "Asia/Kolkata"}
    answer = (await client.post(f"{API}/schedules/preview", json=body)).json()
    assert answer["description"] == "At 06:30"
    assert len(answer["next_runs"]) == 5
    assert all("T06:30:00+05:30" in moment for moment in answer["next_runs"])


FOREIGN = [
    ("GET", "/workflows/{workflow}"),
    ("PATCH", "/workflows/{workflow}"),
    ("DELETE", "/workflows/{workflow}"),
    ("GET", "/workflows/{workflow}/graph"),
    ("POST", "/workflows/{workflow}/check"),
    ("POST", "/workflows/{workflow}/publish"),
    ("GET", "/workflows/{workflow}/revisions"),
    ("GET", "/workflows/{workflow}/revisions/1"),
    ("POST", "/workflows/{workflow}/revisions/1/restore"),
    ("GET", "/pipelines/{pipeline}"),
    ("PATCH", "/pipelines/{pipeline}"),
    ("DELETE", "/pipelines/{pipeline}"),
    ("DELETE", "/edges/{edge}"),
    ("GET", "/schedules/{schedule}"),
    ("PATCH", "/schedules/{schedule}"),
    ("DELETE", "/schedules/{schedule}"),
]


@pytest.mark.feature("A18")
async def test_another_organizations_objects_do_not_exist(two_orgs: Any) -> None:
    mine, theirs = two_orgs.a, two_orgs.b
    x, y = await make_pipeline(mine, "x"), await make_pipeline(mine, "y")
    ends = {"upstream_id": x["id"], "downstream_id": y["id"]}
    edge = (await mine.post(f"{API}/edges", json=ends)).json()
    body = {"workflow_id": x["workflow_id"], "cron": "0 6 * * *"}
    schedule = (await mine.post(f"{API}/schedules", json=body)).json()
    ids = {
        "workflow": x["workflow_id"],
        "pipeline": x["id"],
        "edge": edge["id"],
        "schedule": schedule["id"],
    }
    assert (await mine.post(f"{API}/workflows/{x['workflow_id']}/publish")).status_code == 200
    for method, path in FOREIGN:
        url = API + path.format(**ids)
        answer = await theirs.request(method, url, json={} if method == "PATCH" else None)
        assert answer.status_code == 404, f"{method} {path}: {answer.text}"
        assert mine.slug not in answer.text
    for noun in ("pipelines", "transformations", "edges", "schedules"):
        listed = await theirs.get(f"{API}/{noun}", params={"workflow_id": x["workflow_id"]})
        assert listed.json()["items"] == []
    assert (await mine.get(f"{API}/pipelines/{x['id']}")).json() == x, "nothing was touched"


@pytest.mark.feature("A18")
async def test_another_organizations_ids_in_bodies_do_not_exist(two_orgs: Any) -> None:
    mine, theirs = two_orgs.a, two_orgs.b
    foreign = await make_pipeline(theirs, "foreign")
    own = await make_pipeline(mine, "own")
    workflow, connection = own["workflow_id"], own["source_connection_id"]
    their_flow, their_conn = foreign["workflow_id"], foreign["source_connection_id"]
    model = {"kind": "dbt_model", "name": "M", "dataset": "m", "config": {"sql": "select 1 as a"}}
    for path, body in [
        ("pipelines", pipeline_body(their_flow, connection, table="t")),
        ("pipelines", pipeline_body(workflow, their_conn, table="t")),
        (
            "pipelines",
            pipeline_body(workflow, connection, table="t", destination_connection_id=their_conn),
        ),
        ("transformations", model | {"workflow_id": their_flow}),
        ("transformations/check", model | {"workflow_id": their_flow}),
        ("transformations/check", model | {"workflow_id": workflow, "id": foreign["id"]}),
        ("edges", {"upstream_id": own["id"], "downstream_id": foreign["id"]}),
        ("edges", {"upstream_id": foreign["id"], "downstream_id": own["id"]}),
        ("schedules", {"workflow_id": their_flow, "cron": "0 6 * * *"}),
        (
            "schedules",
            {"workflow_id": workflow, "node_id": foreign["id"], "cron": "0 6 * * *"},
        ),
    ]:
        answer = await mine.post(f"{API}/{path}", json=body)
        assert answer.status_code == 404, f"{path} {body}: {answer.text}"
    change = {"source_connection_id": their_conn}
    answer = await mine.patch(f"{API}/pipelines/{own['id']}", json=change)
    assert answer.status_code == 404
    assert (await mine.get(f"{API}/pipelines/{own['id']}")).json() == own


@pytest.mark.feature("A9")
async def test_roles_decide_who_edits_deletes_and_publishes(
    make_org: Any, make_member: Any
) -> None:
    owner = await make_org()
    made = await make_pipeline(owner)
    editor, viewer = await make_member(owner, "editor"), await make_member(owner, "viewer")
    url = f"{API}/pipelines/{made['id']}"
    publish = f"{API}/workflows/{made['workflow_id']}/publish"
    assert (await viewer.get(url)).status_code == 200
    assert (await viewer.patch(url, json={"retries": 1})).status_code == 403
    assert (await viewer.post(publish)).status_code == 403
    assert (await editor.patch(url, json={"retries": 1})).status_code == 200
    assert (await editor.post(publish)).status_code == 200
    assert (await editor.delete(url)).status_code == 403
    assert (await owner.delete(url)).status_code == 204


@pytest.mark.feature("B3", "C1")
async def test_a_file_that_the_connection_has_not_is_refused_at_save(make_org: Any) -> None:
    client = await make_org()
    workflow, connection = await main_workflow(client), await source(client)
    config = {"resources": [{"name": "t"}, {"name": "orders", "source": "orders.csv"}]}
    body = pipeline_body(workflow, connection, config=config)
    answer = await client.post(f"{API}/pipelines", json=body)
    assert answer.status_code == 422
    assert fields(answer) == {"config.resources.1.source"}
    assert "t.csv" in answer.json()["hint"]
    assert (await client.get(f"{API}/pipelines")).json()["items"] == []
