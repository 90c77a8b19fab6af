"""Two organizations with a published workflow each, and a real Airflow that runs their DAGs.

The revisions are written straight to the tables, and Airflow's DAGs are small ones with the same
task ids: what is tested is everything between the two.
"""

import dataclasses
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.deps import Wiring
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core import clock
from etlfabric_core.db.scope import org_select, org_session
from etlfabric_core.models import Connection, Node, PublicationRow, Revision, Workflow
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.services.publishing import BLOBS
from etlfabric_core.specs.document import DagSpec, DbtSpec, NodeSpec, ScheduleSpec
from tests.api.airflow_server import USER, AirflowServer, serve

PLANTED = "planted-password-7f3a"
MODEL = "model.fabric.on_time"
TEST = "test.fabric.not_null_on_time_carrier"
LOAD_CONFIG = {"mode": "resources", "resources": [{"name": "flights"}]}
ORGANIZATIONS = ("runsnorth", "runssouth")
# One to be purged, and one whose name ends like it.
PURGED, SIMILAR = "runsgone", "longrunsgone"
# Those of the access matrix, which changes and deletes what it finds.
MATRIX_ORGANIZATIONS = ("matrixnorth", "matrixsouth", "matrixeast")


@dataclass
class Member:
    """A signed-in owner, the organization, and its one published workflow."""

    http: httpx.AsyncClient
    org_id: int
    slug: str
    workflow_id: int
    nodes: dict[str, int]

    @property
    def dag_id(self) -> str:
        """The workflow's DAG."""
        return f"{self.slug}.main"

    def run_ref(self, node: str, **changed: Any) -> dict[str, Any]:
        """What a task of the workflow says about itself."""
        run = {
            "dag_id": self.dag_id,
            "run_id": "manual__1",
            "run_type": "manual",
            "node": node,
            "revision": 1,
            "try_number": 1,
        }
        return {**run, **changed}


@dataclass
class World:
    """Two organizations that must not notice each other, and what runs them."""

    a: Member
    b: Member
    internal: httpx.AsyncClient
    wiring: Wiring


@pytest.fixture(scope="session")
async def runs_members(app: FastAPI) -> AsyncIterator[list[Member]]:
    """The owners of the two organizations; how long they stay signed in is not said here."""
    members = [await published(app, name) for name in ORGANIZATIONS]
    yield members
    for member in members:
        await member.http.aclose()


@pytest.fixture(scope="module")
async def runs_world(app: FastAPI, runs_members: list[Member]) -> AsyncIterator[World]:
    """The two organizations; Airflow is not needed for this."""
    for member in runs_members:
        _bear(member.http, await member.http.post("/api/v1/auth/login", json=_owner(member.slug)))
    wiring: Wiring = app.state.wiring
    async with _http(app, wiring.settings.internal_token.get_secret_value()) as internal:
        yield World(*runs_members, internal=internal, wiring=wiring)


@pytest.fixture(scope="session")
def airflow(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real Airflow with a DAG for each of the organizations."""
    home: Path = tmp_path_factory.mktemp("airflow")
    names = (*ORGANIZATIONS, *MATRIX_ORGANIZATIONS, PURGED, SIMILAR)
    yield from serve(home, postgres, tuple(f"{name}.main" for name in names))


@pytest.fixture(scope="session")
async def orchestrator(airflow: AirflowServer) -> AsyncIterator[AirflowClient]:
    """The real client on the real Airflow."""
    client = AirflowClient(airflow.url, USER, airflow.password)
    yield client
    await client.close()


@pytest.fixture
async def world(
    app: FastAPI, runs_world: World, orchestrator: AirflowClient, airflow: AirflowServer
) -> AsyncIterator[World]:
    """The two organizations, with the service talking to the real Airflow."""
    before: Wiring = app.state.wiring
    app.state.wiring = dataclasses.replace(before, orchestrator=orchestrator)
    for flag in ("mended", "go"):
        (airflow.flags / flag).unlink(missing_ok=True)
    yield dataclasses.replace(runs_world, wiring=app.state.wiring)
    app.state.wiring = before


async def published(app: FastAPI, name: str) -> Member:
    """A new organization with its one workflow published."""
    member = await _register(app, name)
    await _publish(app.state.wiring, member)
    return member


async def _register(app: FastAPI, name: str) -> Member:
    http = _http(app, None)
    body = _owner(name) | {"name": "Owner", "organization": name}
    answer = await http.post("/api/v1/auth/register", json=body)
    _bear(http, answer)
    organization = answer.json()["organization"]
    return Member(http, organization["id"], organization["slug"], 0, {})


def _owner(name: str) -> dict[str, str]:
    return {"email": f"{name}@example.com", "password": "a long enough password"}


def _bear(http: httpx.AsyncClient, answer: httpx.Response) -> None:
    """From now on the client is signed in as the answer says: for a quarter of an hour."""
    assert answer.is_success, answer.text
    http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


async def _publish(wiring: Wiring, member: Member) -> None:
    source = await member.http.post(
        "/api/v1/connections",
        json={
            "name": "Orders",
            "connector": "postgres",
            "config": {"host": "127.0.0.1", "port": 5432, "database": "orders", "user": "reader"},
            "secrets": {"password": f"{PLANTED}-{member.slug}"},
        },
    )
    assert source.status_code == 201, source.text
    async with org_session(wiring.sessions, member.org_id) as session:
        workflow = (await session.scalars(org_select(Workflow))).one()
        managed = (await session.scalars(org_select(Connection).where(Connection.managed))).one()
        member.workflow_id = workflow.id
        own = Connection(
            org_id=member.org_id,
            name="Own",
            slug="own",
            connector="postgres",
            direction="both",
            config={"host": "127.0.0.1", "database": "own", "user": "own"},
        )
        session.add(own)
        await session.flush()
        nodes = _nodes(member, source.json()["id"], managed.id, own.id)
        session.add_all(nodes.values())
        await session.flush()
        member.nodes.update({slug: node.id for slug, node in nodes.items()})
        _revise(session, wiring, member, nodes)
        workflow.published_revision = 1


def _nodes(member: Member, source: int, managed: int, own: int) -> dict[str, Node]:
    base = {"org_id": member.org_id, "workflow_id": member.workflow_id}
    load = {**base, "kind": "pipeline", "config": LOAD_CONFIG, "source_connection_id": source}
    model = {"sql": "select 1 as carrier"}
    return {
        "flights": Node(
            name="Flights", slug="flights", dataset="raw", destination_connection_id=managed, **load
        ),
        "exported": Node(
            name="Out", slug="exported", dataset="out", destination_connection_id=own, **load
        ),
        "on_time": Node(
            name="On time", slug="on_time", dataset="marts", kind="dbt_model", config=model, **base
        ),
    }


def _revise(session: Any, wiring: Wiring, member: Member, nodes: dict[str, Node]) -> None:
    manifest = json.dumps({"nodes": {MODEL: {}, TEST: {}}, "of": member.slug}).encode()
    stored = wiring.storage.put_bytes(BLOBS, manifest)
    spec = DagSpec(
        org=member.slug,
        workflow="main",
        revision=1,
        dag_id=member.dag_id,
        nodes=tuple(NodeSpec(slug=slug, kind=nodes[slug].kind) for slug in sorted(nodes)),
        dbt=DbtSpec(
            project_sha256="0" * 64,
            manifest_sha256=stored.sha256,
            loads={},
            models={MODEL: "on_time"},
        ),
        schedules=(
            ScheduleSpec(
                cron="0 6 * * *",
                timezone="America/New_York",
                missed_runs="run_once",
                start=clock.now(),
            ),
        ),
        pool=f"org_{member.slug}",
    ).model_dump(mode="json")
    same = {"org_id": member.org_id, "workflow_id": member.workflow_id, "spec": spec}
    session.add(
        Revision(
            number=1,
            content_hash=member.slug,
            nodes={slug: _snapshot(node) for slug, node in nodes.items()},
            changes=[],
            **same,
        )
    )
    session.add(
        PublicationRow(workflow_slug="main", org_slug=member.slug, revision_number=1, **same)
    )


def _snapshot(node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "kind": node.kind,
        "name": node.name,
        "dataset": node.dataset,
        "source_connection_id": node.source_connection_id,
        "destination_connection_id": node.destination_connection_id,
        "config": node.config,
        "retries": 5,
    }


def _http(app: FastAPI, token: str | None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(
        transport=transport, base_url="http://service.test", headers=headers, timeout=60
    )
