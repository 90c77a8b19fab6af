"""What tasks ask and tell: plans with secrets, leases, progress, reports."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from etlfabric_core import clock
from etlfabric_core.db.scope import org_select, org_session
from etlfabric_core.models import PipelineLease, RunEvent, TaskResult
from tests.api.runs_world import MODEL, PLANTED, TEST, Member, World

ROUTES = (
    "run-context",
    "leases/acquire",
    "leases/renew",
    "leases/release",
    "progress",
    "schema-changes",
    "reports",
)


async def post(world: World, path: str, body: Any) -> httpx.Response:
    return await world.internal.post(f"/internal/v1/{path}", json=body)


def lease_body(
    member: Member, run_id: str, holder: str, node: str = "flights", try_number: int = 1
) -> dict[str, Any]:
    return {
        "run": member.run_ref(node, run_id=run_id, try_number=try_number),
        "holder": holder,
    }


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.feature("A4")
async def test_only_the_internal_token_opens_these_routes(
    runs_world: World, client: httpx.AsyncClient, path: str
) -> None:
    for authorization in (
        None,
        "Bearer ",
        "Bearer wrong",
        "Basic abc",
        runs_world.a.http.headers["Authorization"],
    ):
        headers = {"Authorization": authorization} if authorization else {}
        answer = await client.post(f"/internal/v1/{path}", json={}, headers=headers)
        assert answer.status_code == 401, (path, authorization)
        assert answer.json()["hint"]


async def test_internal_token_opens_no_public_route(runs_world: World) -> None:
    assert (await runs_world.internal.get("/api/v1/runs")).status_code == 401


async def test_load_into_the_managed_warehouse(runs_world: World) -> None:
    a = runs_world.a
    answer = await post(runs_world, "run-context", {"run": a.run_ref("flights")})
    assert answer.status_code == 200, answer.text
    plan = answer.json()["plan"]
    assert plan["plan"] == "load"
    assert plan["pipeline"] == f"{a.slug}_flights"
    assert plan["dataset"] == f"{a.slug}_raw"
    assert plan["source"]["secrets"] == {"password": f"{PLANTED}-{a.slug}"}
    assert plan["destination"]["config"]["user"] == f"org_{a.slug}"
    assert plan["destination"]["secrets"]["password"]
    assert plan["window"] is None


async def test_load_into_an_own_destination_keeps_the_dataset_verbatim(runs_world: World) -> None:
    answer = await post(runs_world, "run-context", {"run": runs_world.a.run_ref("exported")})
    assert answer.json()["plan"]["dataset"] == "out"


async def test_only_a_backfill_has_a_window(runs_world: World) -> None:
    interval = {
        "data_interval_start": "2013-03-01T11:00:00Z",
        "data_interval_end": "2013-03-02T11:00:00Z",
    }
    windows = {}
    for kind in ("backfill", "scheduled", "manual"):
        run = runs_world.a.run_ref("flights", run_type=kind, **interval)
        windows[kind] = (await post(runs_world, "run-context", {"run": run})).json()["plan"][
            "window"
        ]
    assert windows["backfill"] == {
        "start": interval["data_interval_start"],
        "end": interval["data_interval_end"],
    }
    assert windows["scheduled"] is None
    assert windows["manual"] is None


async def test_backfill_without_an_interval_is_refused(runs_world: World) -> None:
    run = runs_world.a.run_ref("flights", run_type="backfill")
    assert (await post(runs_world, "run-context", {"run": run})).status_code == 422


async def test_transform_plan_logs_in_as_the_organization(runs_world: World) -> None:
    a = runs_world.a
    body = {"run": a.run_ref("on_time"), "select": [MODEL, TEST]}
    answer = await post(runs_world, "run-context", body)
    assert answer.status_code == 200, answer.text
    plan = answer.json()["plan"]
    assert plan["plan"] == "transform"
    assert plan["select"] == [MODEL, TEST]
    assert plan["project_url"] == f"/internal/v1/blobs/{plan['project_sha256']}"
    assert plan["login"]["user"] == f"org_{a.slug}"
    assert plan["login"]["schema_name"] == f"{a.slug}_marts"


@pytest.mark.parametrize("select", [[], ["model.other.stolen"], [MODEL, "test.other.x"]])
async def test_transform_selects_from_its_own_project_only(
    runs_world: World, select: list[str]
) -> None:
    body = {"run": runs_world.a.run_ref("on_time"), "select": select}
    assert (await post(runs_world, "run-context", body)).status_code == 422


@pytest.mark.parametrize(
    "changed",
    [
        {"dag_id": "nobody.main"},
        {"dag_id": "runsnorth.other"},
        {"dag_id": "runsnorth"},
        {"dag_id": "RUNSNORTH.main"},
        {"dag_id": "runsnorth.main'; drop table node; --"},
        {"revision": 2},
        {"node": "ghost"},
    ],
)
async def test_what_does_not_exist_answers_404(runs_world: World, changed: dict[str, Any]) -> None:
    run = {**runs_world.a.run_ref("flights"), **changed}
    for path, body in {
        "run-context": {"run": run},
        "leases/acquire": {"run": run, "holder": "h"},
    }.items():
        assert (await post(runs_world, path, body)).status_code == 404, path


async def test_secrets_of_the_other_organization_stay_there(runs_world: World) -> None:
    answer = await post(runs_world, "run-context", {"run": runs_world.b.run_ref("flights")})
    assert f"{PLANTED}-{runs_world.b.slug}" in answer.text
    assert runs_world.a.slug not in answer.text


async def test_of_twenty_at_once_one_holds_the_lease(runs_world: World) -> None:
    member = runs_world.a
    bodies = [
        lease_body(member, node="exported", run_id=f"race{n}", holder=f"h{n}") for n in range(20)
    ]
    answers = await asyncio.gather(*(post(runs_world, "leases/acquire", body) for body in bodies))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 19}
    won = next(i for i, answer in enumerate(answers) if answer.status_code == 200)
    released = {**bodies[won], "epoch": answers[won].json()["epoch"]}
    assert (await post(runs_world, "leases/release", released)).status_code == 200


async def test_lease_of_one_holder_after_another(runs_world: World) -> None:
    a = runs_world.a
    first = lease_body(a, run_id="r1", holder="one")
    epoch = (await post(runs_world, "leases/acquire", first)).json()["epoch"]
    # The same process asks again because the answer was lost: the same right.
    assert (await post(runs_world, "leases/acquire", first)).json()["epoch"] == epoch
    other = lease_body(a, run_id="r2", holder="two")
    assert (await post(runs_world, "leases/acquire", other)).status_code == 409
    assert (await post(runs_world, "leases/renew", {**first, "epoch": epoch})).status_code == 200
    assert (await post(runs_world, "leases/renew", {**other, "epoch": epoch})).status_code == 409
    assert (await post(runs_world, "leases/release", {**other, "epoch": epoch})).status_code == 409
    assert (await post(runs_world, "leases/release", {**first, "epoch": epoch})).status_code == 200
    assert (await post(runs_world, "leases/release", {**first, "epoch": epoch})).status_code == 200
    taken = (await post(runs_world, "leases/acquire", other)).json()
    assert taken["epoch"] == epoch + 1
    assert (await post(runs_world, "leases/renew", {**first, "epoch": epoch})).status_code == 409
    await post(runs_world, "leases/release", {**other, "epoch": taken["epoch"]})


async def test_newer_try_of_the_same_task_fences_the_older(runs_world: World) -> None:
    a = runs_world.a
    zombie = lease_body(a, run_id="r3", holder="zombie", try_number=1)
    old = (await post(runs_world, "leases/acquire", zombie)).json()["epoch"]
    retried = lease_body(a, run_id="r3", holder="fresh", try_number=2)
    new = (await post(runs_world, "leases/acquire", retried)).json()["epoch"]
    assert new == old + 1
    assert (await post(runs_world, "leases/renew", {**zombie, "epoch": old})).status_code == 409
    assert (await post(runs_world, "leases/acquire", zombie)).status_code == 409
    await post(runs_world, "leases/release", {**retried, "epoch": new})


async def test_expired_lease_is_free_but_renewable_until_taken(runs_world: World) -> None:
    a = runs_world.a
    first = lease_body(a, run_id="r4", holder="slow")
    epoch = (await post(runs_world, "leases/acquire", first)).json()["epoch"]

    async def expire() -> None:
        async with org_session(runs_world.wiring.sessions, a.org_id) as session:
            past = clock.now() - timedelta(seconds=1)
            await session.execute(
                update(PipelineLease)
                .where(PipelineLease.node_id == a.nodes["flights"])
                .values(expires_at=past)
            )

    await expire()
    assert (await post(runs_world, "leases/renew", {**first, "epoch": epoch})).status_code == 200
    await expire()
    other = lease_body(a, run_id="r5", holder="next")
    taken = (await post(runs_world, "leases/acquire", other)).json()["epoch"]
    assert taken == epoch + 1
    assert (await post(runs_world, "leases/renew", {**first, "epoch": epoch})).status_code == 409
    await post(runs_world, "leases/release", {**other, "epoch": taken})


async def test_organizations_hold_leases_of_the_same_name_at_once(runs_world: World) -> None:
    for member in (runs_world.a, runs_world.b):
        body = lease_body(member, run_id="r6", holder=member.slug)
        answer = await post(runs_world, "leases/acquire", body)
        assert answer.status_code == 200
        await post(runs_world, "leases/release", {**body, "epoch": answer.json()["epoch"]})


async def test_newest_progress_of_each_stage_is_kept(runs_world: World) -> None:
    run = runs_world.a.run_ref("flights", run_id="progress1")
    for stage, rows in (("extract", 10), ("extract", 20), ("load", 5), ("extract", 30)):
        body = {"run": run, "stage": stage, "rows": {"flights": rows}}
        assert (await post(runs_world, "progress", body)).status_code == 204
    events = await stored(runs_world, RunEvent, "progress1")
    assert [(e.payload["stage"], e.payload["rows"]["flights"]) for e in events] == [
        ("load", 5),
        ("extract", 30),
    ]


async def test_reports_are_idempotent_and_the_newest_try_counts(runs_world: World) -> None:
    def body(try_number: int, outcome: str) -> dict[str, Any]:
        run = runs_world.a.run_ref("flights", run_id="report1", try_number=try_number)
        return {"run": run, "outcome": outcome, "error": {"message": f"try {try_number}"}}

    for said in (body(1, "failed"), body(2, "success"), body(2, "success"), body(1, "failed")):
        assert (await post(runs_world, "reports", said)).status_code == 204
    (result,) = await stored(runs_world, TaskResult, "report1")
    assert (result.try_number, result.outcome) == (2, "success")
    events = await stored(runs_world, RunEvent, "report1")
    assert [event.payload["try_number"] for event in events] == [1, 2]


async def test_model_and_its_tests_report_into_one_result(runs_world: World) -> None:
    async def tell(try_number: int, unique_id: str, status: str) -> TaskResult:
        run = runs_world.a.run_ref("on_time", run_id="report2", try_number=try_number)
        node = {"unique_id": unique_id, "status": status, "seconds": 0.1}
        failed = status in ("error", "fail")
        said = {
            "run": run,
            "outcome": "failed" if failed else "success",
            "transform": {"nodes": [node], "seconds": 0.1},
            "error": {"message": status} if failed else None,
        }
        assert (await post(runs_world, "reports", said)).status_code == 204
        (result,) = await stored(runs_world, TaskResult, "report2")
        return result

    assert (await tell(1, MODEL, "error")).outcome == "failed"
    assert (await tell(2, MODEL, "success")).outcome == "success"
    # A test of several models is a task of its own, in its first try.
    failing = await tell(1, TEST, "fail")
    assert (failing.outcome, failing.error) == ("failed", {"message": "fail"})
    other = await tell(1, "test.fabric.other", "pass")
    assert (other.outcome, other.error) == ("failed", {"message": "fail"})
    mended = await tell(2, TEST, "pass")
    assert (mended.outcome, mended.error) == ("success", None)
    told = {node["unique_id"]: node["status"] for node in mended.transform["nodes"]}
    assert told == {MODEL: "success", TEST: "pass", "test.fabric.other": "pass"}


async def test_reports_at_once_get_ids_in_the_order_of_their_commits(runs_world: World) -> None:
    """A reader that has seen an id has seen every lower one."""
    runs = [runs_world.a.run_ref(f"n{n}", run_id="order1") for n in range(15)]
    seen: list[int] = []

    async def read() -> None:
        last = 0
        while len(seen) < len(runs):
            events = await stored(runs_world, RunEvent, "order1")
            new = [event.id for event in events if event.id > last]
            assert not [e.id for e in events if e.id <= last and e.id not in seen]
            seen.extend(new)
            last = max([last, *new])

    said = [{"run": run, "stage": "load", "rows": {"t": 1}} for run in runs]
    async with asyncio.timeout(60):
        await asyncio.gather(read(), *(post(runs_world, "progress", one) for one in said))
    assert len(seen) == len(runs)


async def stored(world: World, model: Any, run_id: str) -> list[Any]:
    async with org_session(world.wiring.sessions, world.a.org_id) as session:
        query = org_select(model).where(model.run_id == run_id).order_by(model.id)
        return list(await session.scalars(query))
