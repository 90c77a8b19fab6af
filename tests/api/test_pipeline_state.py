"""The state of a pipeline through the public routes, with real loads into the managed warehouse."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from etlfabric_core.extract_load.plan import LoadPlan, LoadResult
from tests.api.conftest import INTERNAL_TOKEN, MakeMember, OrgClient, TwoOrgs
from tests.api.test_workflow_graph import API, main_workflow
from tests.loading import run

CONFIG = {
    "resources": [
        {
            "name": name,
            "source": "people.csv",
            "write_disposition": "merge",
            "primary_key": ["id"],
            "cursor": {"column": "id"},
            "columns": {"id": {"type": "integer"}},
        }
        for name in ("people", "copies")
    ]
    + [{"name": "whole", "source": "people.csv", "write_disposition": "replace"}]
}


@dataclass
class Loaded:
    """An organization with one published pipeline, and Airflow's side of it."""

    owner: OrgClient
    internal: httpx.AsyncClient
    folder: Path
    pipeline_id: int
    node: str
    workflow_id: int
    runs: int = 0
    revision: int = 1
    replay: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{API}/pipelines/{self.pipeline_id}/state"

    def ref(self) -> dict[str, Any]:
        run = {"dag_id": f"{self.owner.slug}.main", "run_id": f"manual__{self.runs}"}
        run |= {"run_type": "manual", "node": self.node, "replay": self.replay}
        return {**run, "revision": self.revision, "try_number": 1}

    async def configure(self, config: dict[str, Any]) -> None:
        """Another configuration, published."""
        path = f"{API}/pipelines/{self.pipeline_id}"
        version = (await self.owner.get(path)).json()["version"]
        headers = {"If-Match": str(version)}
        answer = await self.owner.patch(path, json={"config": config}, headers=headers)
        assert answer.is_success, answer.text
        answer = await self.owner.post(f"{API}/workflows/{self.workflow_id}/publish")
        assert answer.is_success, answer.text
        self.revision += 1

    async def ask(self, path: str, **body: Any) -> Any:
        answer = await self.internal.post(f"/internal/v1/{path}", json={"run": self.ref(), **body})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def load(self, rows: int) -> LoadResult:
        """As a task does it: lease, plan, load, report."""
        self.runs += 1
        holder = {"holder": f"worker-{self.runs}"}
        lease = await self.ask("leases/acquire", **holder)
        plan = LoadPlan.model_validate((await self.ask("run-context"))["plan"])
        path = self.folder / "people.csv"
        path.write_text("id,name\n" + "".join(f"{n},name {n}\n" for n in range(rows)))
        files = {"people.csv": path}
        result = await asyncio.to_thread(run, plan, self.folder / "work", files, lease["epoch"])
        await self.ask("leases/release", **holder, epoch=lease["epoch"])
        await self.ask("reports", outcome="success", load=result.model_dump(mode="json"))
        return result

    async def loaded(self, rows: int) -> dict[str, int]:
        return {table.table: table.loaded for table in (await self.load(rows)).tables}

    async def state(self) -> dict[str, Any]:
        answer = await self.owner.get(self.path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
async def loaded(app: FastAPI, two_orgs: TwoOrgs, tmp_path: Path) -> AsyncIterator[Loaded]:
    owner = two_orgs.a
    upload = await owner.post(f"{API}/uploads", files={"file": ("people.csv", b"id,name\n1,x\n")})
    body = {"name": "Files", "connector": "csv", "config": {"uploads": [upload.json()["id"]]}}
    source = await owner.post(f"{API}/connections", json=body)
    workflow = await main_workflow(owner)
    body = {"workflow_id": workflow, "name": "People", "dataset": "raw", "config": CONFIG}
    body["source_connection_id"] = source.json()["id"]
    made = await owner.post(f"{API}/pipelines", json=body)
    assert made.status_code == 201, made.text
    headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://service.test", headers=headers, timeout=60
    ) as internal:
        node = made.json()
        found = Loaded(owner, internal, tmp_path, node["id"], node["slug"], workflow)
        assert (await found.state())["published"] is False
        published = await owner.post(f"{API}/workflows/{workflow}/publish")
        assert published.is_success, published.text
        yield found


@pytest.mark.feature("X4", "A15")
async def test_state_is_shown_changed_and_audited(loaded: Loaded) -> None:
    before = await loaded.state()
    assert (before["published"], before["history"]) == (True, [])
    refused = await loaded.owner.post(f"{loaded.path}/reset", json={"resource": "people"})
    assert refused.status_code == 409
    assert "no state yet" in refused.json()["message"]

    await loaded.load(3)
    await loaded.load(5)
    state = await loaded.state()
    people, _, whole = state["resources"]
    assert people["position"] == {
        "resource": "people",
        "column": "id",
        "type": "integer",
        "text": "4",
    }
    assert (whole["follows"], whole["position"]) == (False, None)
    assert [version["run"]["run_id"] for version in state["history"]] == ["manual__2", "manual__1"]

    first = state["history"][1]["load_id"]
    owner, path = loaded.owner, loaded.path
    restored = await owner.post(f"{path}/restore", json={"load_id": first, "resource": "people"})
    assert restored.status_code == 200, restored.text
    assert await loaded.loaded(5) == {"people": 3, "copies": 1, "whole": 5}  # 2 is read again

    for action, body in (("set", {"value": "1"}), ("reset", {})):
        done = await owner.post(f"{path}/{action}", json={"resource": "people", **body})
        assert done.status_code == 200, done.text
    history = (await loaded.state())["history"]
    assert [version["change"] and version["change"]["action"] for version in history[:3]] == [
        "reset",
        "set",
        None,
    ]
    assert await loaded.loaded(5) == {"people": 5, "copies": 1, "whole": 5}

    audit = (await owner.get(f"{API}/audit", params={"resource_type": "node"})).json()["items"]
    noted = {entry["action"]: entry for entry in audit}
    assert {"state_set", "state_reset", "state_restore"} <= noted.keys()
    assert noted["state_set"]["old_values"]["cursors"]["people.id"] == "4"
    assert noted["state_set"]["new_values"]["cursors"] == {"people.id": "1", "copies.id": "4"}


@pytest.mark.feature("X4")
async def test_a_run_that_is_loading_keeps_its_state(loaded: Loaded) -> None:
    await loaded.load(3)
    before = await loaded.state()
    lease = await loaded.ask("leases/acquire", holder="worker")
    assert (await loaded.state())["is_held"] is True
    version = {"load_id": before["history"][0]["load_id"]}
    for action, body in (
        ("reset", {"resource": "people"}),
        ("set", {"resource": "people", "value": "1"}),
        ("restore", version),
    ):
        refused = await loaded.owner.post(f"{loaded.path}/{action}", json=body)
        assert refused.status_code == 409, refused.text
        assert "a run is loading" in refused.json()["message"]
        assert refused.json()["hint"]
    assert (await loaded.state())["history"] == before["history"]
    await loaded.ask("leases/release", holder="worker", epoch=lease["epoch"])
    done = await loaded.owner.post(f"{loaded.path}/reset", json={"resource": "people"})
    assert done.status_code == 200
    # A refused change gives the lease back as well.
    assert (await loaded.state())["is_held"] is False


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("set", {"resource": "people", "value": "many"}, 422),
        ("set", {"resource": "people", "value": "9" * 30}, 422),
        ("set", {"resource": "whole", "value": "1"}, 409),
        ("set", {"resource": "nobody", "value": "1"}, 404),
        ("reset", {"resource": "pe\x00ple"}, 422),
        ("reset", {}, 422),
        ("restore", {"load_id": "1.5"}, 409),
    ],
)
async def test_what_cannot_be_is_refused(
    loaded: Loaded, action: str, body: dict[str, Any], status: int
) -> None:
    await loaded.load(2)
    answer = await loaded.owner.post(f"{loaded.path}/{action}", json=body)
    assert answer.status_code == status, answer.text
    state = await loaded.state()
    assert (len(state["history"]), state["is_held"]) == (1, False)


@pytest.mark.feature("X4", "A9")
async def test_viewers_read_and_others_see_nothing(
    loaded: Loaded, two_orgs: TwoOrgs, make_member: MakeMember
) -> None:
    await loaded.load(2)
    viewer = await make_member(loaded.owner, "viewer")
    editor = await make_member(loaded.owner, "editor")
    assert (await viewer.get(loaded.path)).status_code == 200
    body = {"resource": "people"}
    assert (await viewer.post(f"{loaded.path}/reset", json=body)).status_code == 403
    assert (await two_orgs.b.get(loaded.path)).status_code == 404
    assert (await two_orgs.b.post(f"{loaded.path}/reset", json=body)).status_code == 404
    assert len((await loaded.state())["history"]) == 1
    assert (await editor.post(f"{loaded.path}/reset", json=body)).status_code == 200
