"""The inbox of schema changes, with real loads: held, approved, rejected, and of nobody else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.errors import TerminalError
from tests.api.conftest import MakeMember, OrgClient, TwoOrgs
from tests.api.loaded_pipeline import Loaded, loaded_pipeline
from tests.api.test_workflow_graph import API

pytestmark = pytest.mark.feature("C10")

PATH = f"{API}/schema-changes"
MERGED = {"write_disposition": "merge", "primary_key": ["id"]}
CONFIG: dict[str, Any] = {
    "schema_changes": "hold",
    "resources": [
        {"name": name, "source": "people.csv", **MERGED} for name in ("people", "copies")
    ],
}
FIRST = "id,name\n1,Ada\n2,Grace\n"
WIDER = "id,name,born\n1,Ada,1815\n3,Edsger,1930\n"
BORN = {"kind": "column_added", "column": "born", "old": None, "new": "text", "table_type": None}
OTHER = "id,name,died\n1,Ada,1852\n"


@pytest.fixture
async def loaded(app: FastAPI, two_orgs: TwoOrgs, tmp_path: Path) -> AsyncIterator[Loaded]:
    """Loaded once, with a policy that holds changes."""
    async with loaded_pipeline(app, two_orgs.a, tmp_path, CONFIG) as made:
        await made.publish()
        await made.load(FIRST)
        yield made


async def inbox(client: OrgClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get(PATH, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def decide(client: OrgClient, change: dict[str, Any], how: str, note: str = "") -> Any:
    return await client.post(f"{PATH}/{change['id']}/{how}", json={"note": note})


async def decide_all(loaded: Loaded, how: str, note: str = "") -> None:
    for change in await inbox(loaded.owner, state="pending"):
        assert (await decide(loaded.owner, change, how, note)).status_code == 200


async def rows_of(database: EmbeddedPostgres, loaded: Loaded, table: str) -> list[tuple[Any, ...]]:
    """What is in a table, but dlt's own columns."""
    admin = await asyncpg.connect(database.url("warehouse"))
    try:
        query = f"SELECT * FROM {loaded.owner.slug}_raw.{table} ORDER BY id"
        found = await admin.fetch(query)
    finally:
        await admin.close()
    names = [name for name in (found[0].keys() if found else ()) if not name.startswith("_dlt")]
    return [tuple(row[name] for name in names) for row in found]


def states(changes: list[dict[str, Any]]) -> dict[str, str]:
    """By table; what was found later counts."""
    return {change["table"]: change["state"] for change in reversed(changes)}


@pytest.mark.feature("A15")
async def test_a_held_load_is_approved_and_ends_exact(
    loaded: Loaded, database: EmbeddedPostgres
) -> None:
    with pytest.raises(TerminalError, match="held for approval"):
        await loaded.load(WIDER)
    with pytest.raises(TerminalError, match="held for approval"):
        await loaded.load(WIDER)  # the same is not put into the inbox again
    assert await rows_of(database, loaded, "people") == [("1", "Ada"), ("2", "Grace")]
    found = await inbox(loaded.owner, state="pending", pipeline_id=loaded.pipeline_id)
    assert [(one["table"], one["changes"]) for one in found] == [
        ("copies", [BORN]),
        ("people", [BORN]),
    ]
    assert found[0]["pipeline"]["slug"] == loaded.node
    assert (found[0]["run_id"], found[0]["policy"]) == ("manual__2", "hold")
    first = found[0]
    approved = (await decide(loaded.owner, first, "approve", "  agreed  ")).json()
    assert (approved["state"], approved["note"]) == ("approved", "agreed")
    assert approved["decided_by"]["email"] == loaded.owner.email
    assert approved["decided_at"]
    with pytest.raises(TerminalError, match="table 'people'") as half:
        await loaded.load(WIDER, retry=True)
    assert "copies" not in half.value.message
    await decide_all(loaded, "approve")
    result = await loaded.load(WIDER, retry=True)
    assert {load.table: load.loaded for load in result.tables} == {"people": 2, "copies": 2}
    exact = [("1", "Ada", "1815"), ("2", "Grace", None), ("3", "Edsger", "1930")]
    for table in ("people", "copies"):
        assert await rows_of(database, loaded, table) == exact
    applied = await inbox(loaded.owner)
    assert states(applied) == {"people": "applied", "copies": "applied"}
    assert {one["applied_run_id"] for one in applied} == {loaded.run_id}
    await loaded.load(WIDER)
    assert await inbox(loaded.owner) == applied
    await _noted(loaded.owner, first, "approve", "agreed")


async def _noted(owner: OrgClient, change: dict[str, Any], action: str, note: str) -> None:
    asked = {"resource_type": "schema_change", "resource_id": str(change["id"])}
    (entry,) = (await owner.get(f"{API}/audit", params=asked)).json()["items"]
    assert entry["action"] == action
    assert entry["old_values"] == {"state": "pending"}
    assert entry["new_values"]["note"] == note
    assert entry["new_values"]["table"] == change["table"]


async def test_another_diff_than_the_approved_one_is_held_anew(loaded: Loaded) -> None:
    with pytest.raises(TerminalError):
        await loaded.load(WIDER)
    await decide_all(loaded, "approve")
    with pytest.raises(TerminalError, match="column died is new"):
        await loaded.load(OTHER)
    assert len(await inbox(loaded.owner, state="superseded")) == 2
    assert len(await inbox(loaded.owner, state="pending")) == 2
    await loaded.load(FIRST)  # the source is as it was: nothing waits any more
    assert await inbox(loaded.owner, state="pending") == []
    assert len(await inbox(loaded.owner, state="superseded")) == 4
    with pytest.raises(TerminalError, match="held for approval"):
        await loaded.load(WIDER)  # an approval that was overtaken is none


async def test_a_rejection_stands_until_the_source_or_the_configuration_changes(
    loaded: Loaded,
) -> None:
    with pytest.raises(TerminalError):
        await loaded.load(WIDER)
    await decide_all(loaded, "reject", "no birthdays")
    rejected = await inbox(loaded.owner)
    for _ in range(2):
        with pytest.raises(TerminalError, match=r"was rejected \(no birthdays\)") as refused:
            await loaded.load(WIDER)
        assert any(f"change {one['id']} " in refused.value.message for one in rejected)
    assert await inbox(loaded.owner) == rejected
    await loaded.load(FIRST)
    assert states(await inbox(loaded.owner)) == {"people": "rejected", "copies": "rejected"}
    await loaded.configure(batch_size=10)
    with pytest.raises(TerminalError, match="held for approval"):
        await loaded.load(WIDER)
    assert len(await inbox(loaded.owner, state="pending")) == 2
    await loaded.configure(schema_changes="apply")
    await loaded.load(WIDER)
    assert states(await inbox(loaded.owner)) == {"people": "applied", "copies": "applied"}


async def test_what_is_gone_is_told_once_and_new_when_it_comes_back(loaded: Loaded) -> None:
    await loaded.configure(schema_changes="apply")
    narrow = "id\n4\n"
    for _ in range(2):
        await loaded.load(narrow)
    gone = {"kind": "column_removed", "column": "name", "old": "text"}
    gone |= {"new": None, "table_type": None}
    found = await inbox(loaded.owner)
    assert [one["changes"] for one in found] == [[gone], [gone]]
    assert {(one["state"], one["policy"]) for one in found} == {("applied", "apply")}
    assert {one["decided_by"] for one in found} == {None}
    await loaded.configure(schema_changes="hold")
    await loaded.load(narrow)
    with pytest.raises(TerminalError, match="column name is new"):
        await loaded.load(FIRST)


async def test_a_refused_load_keeps_what_it_found(loaded: Loaded) -> None:
    await loaded.configure(schema_changes="refuse")
    for _ in range(2):
        with pytest.raises(TerminalError, match="refuses changes"):
            await loaded.load(WIDER)
    found = await inbox(loaded.owner)
    assert states(found) == {"people": "rejected", "copies": "rejected"}
    assert {(one["policy"], one["decided_by"], one["decided_at"]) for one in found} == {
        ("refuse", None, None)
    }


async def test_a_load_that_fails_on_its_way_keeps_what_it_found(loaded: Loaded) -> None:
    resources = [{**one, "minimum_rows": 2} for one in CONFIG["resources"]]
    await loaded.configure(schema_changes="apply", resources=resources)
    with pytest.raises(TerminalError, match="minimum_rows"):
        await loaded.load(WIDER.rpartition("3,")[0])
    kept = await inbox(loaded.owner)
    assert states(kept) == {"people": "approved", "copies": "approved"}
    assert {one["applied_run_id"] for one in kept} == {loaded.run_id}
    await loaded.load(WIDER)
    applied = await inbox(loaded.owner)
    assert [one["id"] for one in applied] == [one["id"] for one in kept]
    assert states(applied) == {"people": "applied", "copies": "applied"}
    assert {one["applied_run_id"] for one in applied} == {loaded.run_id}


async def test_what_a_killed_load_had_done_to_the_table_is_applied_by_the_next(
    loaded: Loaded,
) -> None:
    """It told of the column before it wrote; the next one finds it in the table."""
    await loaded.configure(schema_changes="apply")
    loaded.runs += 1
    tables = [{"table": "people", "changes": [BORN]}]
    await loaded.ask("schema-changes", found={"policy": "apply", "goes_on": True, "tables": tables})
    killed = loaded.run_id
    await loaded.load(FIRST)
    (change,) = await inbox(loaded.owner)
    assert (change["state"], change["applied_run_id"]) == ("applied", killed)


async def test_it_is_decided_once_and_by_editors(
    loaded: Loaded, two_orgs: TwoOrgs, make_member: MakeMember
) -> None:
    with pytest.raises(TerminalError):
        await loaded.load(WIDER)
    one, two = await inbox(loaded.owner)
    viewer = await make_member(loaded.owner, "viewer")
    editor = await make_member(loaded.owner, "editor")
    assert await inbox(viewer) == [one, two]
    for how in ("approve", "reject"):
        assert (await decide(viewer, one, how)).status_code == 403
        assert (await decide(two_orgs.b, one, how)).status_code == 404
    assert (await two_orgs.b.get(f"{PATH}/{one['id']}")).status_code == 404
    assert await inbox(two_orgs.b) == await inbox(two_orgs.b, pipeline_id=loaded.pipeline_id) == []
    assert (await decide(editor, one, "reject", "x" * 1001)).status_code == 422
    assert (await decide(editor, one, "reject", "never")).status_code == 200
    for how in ("approve", "reject"):
        again = await decide(loaded.owner, one, how)
        assert (again.status_code, again.json()["error"]) == (409, "conflict")
    await _noted(loaded.owner, one, "reject", "never")
    assert (await loaded.owner.get(f"{PATH}/{two['id']}")).json()["state"] == "pending"
    page = (await viewer.get(PATH, params={"limit": 1})).json()
    assert [item["id"] for item in page["items"]] == [one["id"]]
    rest = await inbox(viewer, limit=1, cursor=page["next_cursor"])
    assert [item["id"] for item in rest] == [two["id"]]


async def test_what_another_organization_tells_is_its_own(
    loaded: Loaded, app: FastAPI, two_orgs: TwoOrgs, tmp_path: Path
) -> None:
    """The same names everywhere: who a task speaks for is told by its DAG alone."""
    folder = tmp_path / "b"
    folder.mkdir()
    async with loaded_pipeline(app, two_orgs.b, folder, CONFIG) as theirs:
        await theirs.publish()
        await theirs.load(FIRST)
        with pytest.raises(TerminalError):
            await theirs.load(WIDER)
        assert await inbox(loaded.owner) == []
        with pytest.raises(TerminalError):
            await loaded.load(WIDER)
        ours = await inbox(loaded.owner)
        for change in await inbox(theirs.owner):
            assert (await decide(theirs.owner, change, "approve")).status_code == 200
        await theirs.load(WIDER)
        assert await inbox(loaded.owner) == ours
    unknown = {**loaded.ref(), "dag_id": "nobody.main"}
    told = {"run": unknown, "found": {"policy": "hold", "goes_on": False, "tables": []}}
    answer = await loaded.internal.post("/internal/v1/schema-changes", json=told)
    assert answer.status_code == 404


async def test_with_its_pipeline_it_leaves_the_inbox(loaded: Loaded) -> None:
    with pytest.raises(TerminalError):
        await loaded.load(WIDER)
    (change, _) = await inbox(loaded.owner)
    assert (await loaded.owner.delete(loaded.path)).status_code == 204
    assert await inbox(loaded.owner) == []
    assert (await loaded.owner.get(f"{PATH}/{change['id']}")).status_code == 404
    assert (await decide(loaded.owner, change, "approve")).status_code == 404
