"""A pipeline of one file, and Airflow's side of it: real loads into the managed warehouse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from etlfabric_core.errors import FabricError
from etlfabric_core.extract_load.plan import FoundChanges, LoadPlan, LoadResult
from tests.api.conftest import INTERNAL_TOKEN, OrgClient
from tests.api.test_workflow_graph import API, main_workflow
from tests.loading import run

FILE = "people.csv"


@dataclass
class Loaded:
    """An organization with one pipeline, and what runs it."""

    owner: OrgClient
    internal: httpx.AsyncClient
    folder: Path
    pipeline_id: int
    node: str
    workflow_id: int
    revision: int = 0
    runs: int = 0
    replay: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{API}/pipelines/{self.pipeline_id}"

    @property
    def run_id(self) -> str:
        """The newest run."""
        return f"manual__{self.runs}"

    def ref(self) -> dict[str, Any]:
        run = {"dag_id": f"{self.owner.slug}.main", "run_id": self.run_id, "run_type": "manual"}
        run |= {"node": self.node, "revision": self.revision, "replay": self.replay}
        return {**run, "try_number": 1}

    async def publish(self) -> None:
        """Publishes the pipeline as it is."""
        answer = await self.owner.post(f"{API}/workflows/{self.workflow_id}/publish")
        assert answer.is_success, answer.text
        self.revision += 1

    async def configure(self, **config: Any) -> None:
        """Changes parts of the configuration, and publishes it."""
        before = (await self.owner.get(self.path)).json()["config"]
        answer = await self.owner.patch(self.path, json={"config": {**before, **config}})
        assert answer.is_success, answer.text
        await self.publish()

    async def ask(self, path: str, **body: Any) -> Any:
        answer = await self.internal.post(f"/internal/v1/{path}", json={"run": self.ref(), **body})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def load(self, text: str, *, retry: bool = False) -> LoadResult:
        """As a task does it: lease, plan, load, report. `retry` is of the same run.

        Raises:
            FabricError: of the load, when it was reported.
        """
        self.runs += 0 if retry else 1
        holder = {"holder": f"worker-{self.runs}"}
        lease = await self.ask("leases/acquire", **holder)
        try:
            result = await self._load(text, lease["epoch"])
        except FabricError as error:
            await self.ask("reports", outcome="failed", error=error.body())
            raise
        finally:
            await self.ask("leases/release", **holder, epoch=lease["epoch"])
        await self.ask("reports", outcome="success", load=result.model_dump(mode="json"))
        return result

    async def _load(self, text: str, epoch: int) -> LoadResult:
        plan = LoadPlan.model_validate((await self.ask("run-context"))["plan"])
        path = self.folder / FILE
        path.write_text(text)
        loop = asyncio.get_running_loop()

        def announce(found: FoundChanges) -> None:
            told = self.ask("schema-changes", found=found.model_dump(mode="json"))
            asyncio.run_coroutine_threadsafe(told, loop).result()

        work = self.folder / "work"
        return await asyncio.to_thread(run, plan, work, {FILE: path}, epoch, announce=announce)


@asynccontextmanager
async def loaded_pipeline(
    app: FastAPI,
    owner: OrgClient,
    folder: Path,
    config: dict[str, Any],
    destination: dict[str, Any] | None = None,
) -> AsyncIterator[Loaded]:
    """A pipeline of the organization, not published yet. `destination` is a connection to make."""
    upload = await owner.post(f"{API}/uploads", files={"file": (FILE, b"id,name\n1,x\n")})
    body = {"name": "Files", "connector": "csv", "config": {"uploads": [upload.json()["id"]]}}
    source = await owner.post(f"{API}/connections", json=body)
    workflow = await main_workflow(owner)
    body = {"workflow_id": workflow, "name": "People", "dataset": "raw", "config": config}
    body["source_connection_id"] = source.json()["id"]
    if destination:
        to = await owner.post(f"{API}/connections", json={"name": "Target", **destination})
        assert to.status_code == 201, to.text
        body["destination_connection_id"] = to.json()["id"]
    made = await owner.post(f"{API}/pipelines", json=body)
    assert made.status_code == 201, made.text
    headers = {"Authorization": f"Bearer {INTERNAL_TOKEN}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://service.test", headers=headers, timeout=60
    ) as internal:
        node = made.json()
        yield Loaded(owner, internal, folder, node["id"], node["slug"], workflow)
