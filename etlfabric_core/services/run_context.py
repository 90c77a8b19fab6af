"""From a task's few words about itself to its plan, with the secrets that the plan needs."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from anyio import to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.network import AllowList
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import InvalidConfig, NotFound
from etlfabric_core.extract_load.plan import Endpoint, LoadPlan, Window
from etlfabric_core.files.storage import Storage
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.kinds import get_kind
from etlfabric_core.models import Connection, Revision
from etlfabric_core.services import (
    connections,
    databases,
    found_changes,
    mask_keys,
    warehouse,
)
from etlfabric_core.services.dag_ids import Place
from etlfabric_core.services.publishing import BLOBS
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.slugs import physical_dataset
from etlfabric_core.specs.context import ContextRequest, RunContext, RunRef
from etlfabric_core.specs.document import DagSpec, DbtSpec
from etlfabric_core.specs.state import NodeSnapshot
from etlfabric_core.transform.plan import TransformPlan


@dataclass(frozen=True)
class Keys:
    """What a context is opened with."""

    box: SecretBox
    storage: Storage
    warehouse: Warehouse
    allowed: AllowList
    databases: Path


async def resolve(
    session: AsyncSession, place: Place, request: ContextRequest, keys: Keys
) -> RunContext:
    """The plan of one task, as its revision defined it, with today's credentials.

    Raises:
        NotFound: the revision, the node in it, a connection or an upload does not exist.
        InvalidConfig: `select` names what the node's project does not hold, or the host of a
            connection lies inside the installation by now.
        TransientError: the name of a host cannot be resolved.
        SecretUnreadable: the key of a secret is gone.
        UpstreamUnavailable: the managed warehouse cannot be reached.
    """
    run = request.run
    revision = await _revision(session, place, run)
    node = _node(revision, run)
    if get_kind(node.kind).is_transformation:
        plan = await _transform_plan(place, revision, node, request.select, keys)
        return RunContext(plan=plan)
    return RunContext(plan=await _load_plan(session, place, run, node, keys))


async def snapshot(session: AsyncSession, place: Place, run: RunRef) -> NodeSnapshot:
    """The node of a task, as its revision defined it.

    Raises:
        NotFound: the revision or the node in it does not exist.
    """
    return _node(await _revision(session, place, run), run)


def _node(revision: Revision, run: RunRef) -> NodeSnapshot:
    if run.node not in revision.nodes:
        raise NotFound(f"node '{run.node}' is not in revision {run.revision} of {run.dag_id}")
    return NodeSnapshot.model_validate(revision.nodes[run.node])


async def _revision(session: AsyncSession, place: Place, run: RunRef) -> Revision:
    revision = await session.scalar(
        org_select(Revision).where(
            Revision.workflow_id == place.workflow.id, Revision.number == run.revision
        )
    )
    if revision is None:
        raise NotFound(f"revision {run.revision} of {run.dag_id} does not exist")
    return revision


async def _load_plan(
    session: AsyncSession, place: Place, run: RunRef, node: NodeSnapshot, keys: Keys
) -> LoadPlan:
    slug = place.organization.slug
    if node.source_connection_id is None:
        raise InvalidConfig(f"node '{run.node}' has no source", hint="choose one and publish")
    source = await get_owned(session, Connection, node.source_connection_id)
    destination = await destination_of(session, node)
    dataset = node.dataset
    if destination.managed:
        dataset = await warehouse.ensure_dataset(keys.warehouse, slug, dataset)
    config = PipelineConfig.model_validate(node.config)
    return LoadPlan(
        pipeline=pipeline_name(slug, run.node),
        source=await _endpoint(session, source, keys),
        destination=await _endpoint(session, destination, keys),
        dataset=dataset,
        config=config,
        window=_window(run),
        replay=run.replay,
        mask_key=await mask_keys.for_pipeline(session, keys.box, place.organization, config),
        agreement=await found_changes.agreement(session, node),
    )


async def _endpoint(session: AsyncSession, connection: Connection, keys: Keys) -> Endpoint:
    found = await connections.resolve_endpoint(
        session, connection, box=keys.box, allowed=keys.allowed
    )
    return databases.located(found, keys.databases)


def pipeline_name(org_slug: str, node_slug: str) -> str:
    """What dlt calls a pipeline; its state at the destination is kept under this name."""
    return f"{org_slug}_{node_slug}"


async def destination_of(session: AsyncSession, node: NodeSnapshot) -> Connection:
    """Where a pipeline loads to: its connection, or the managed warehouse.

    Raises:
        NotFound: the connection was deleted.
    """
    if node.destination_connection_id is not None:
        return await get_owned(session, Connection, node.destination_connection_id)
    managed = await session.scalar(org_select(Connection).where(Connection.managed))
    if managed is None:
        raise NotFound("the organization has no managed warehouse")
    return managed


def _window(run: RunRef) -> Window | None:
    """Only a backfill is bounded: any other run goes on where the last one ended."""
    if run.run_type != "backfill":
        return None
    if run.replay:
        raise InvalidConfig("a backfill replays no rejected rows", hint="replay them by themselves")
    if run.data_interval_start is None or run.data_interval_end is None:
        raise InvalidConfig(
            "a backfill needs a data interval", hint="backfill a workflow that has a schedule"
        )
    return Window(start=run.data_interval_start, end=run.data_interval_end)


async def _transform_plan(
    place: Place,
    revision: Revision,
    node: NodeSnapshot,
    select: tuple[str, ...],
    keys: Keys,
) -> TransformPlan:
    slug, dbt = place.organization.slug, DagSpec.model_validate(revision.spec).dbt
    if dbt is None:
        raise NotFound(f"revision {revision.number} has no dbt project")
    await _refuse_foreign(dbt, select, keys.storage)
    # Models of one invocation may lie in several datasets of the organization.
    for dataset in _datasets(revision, dbt, select) | {node.dataset}:
        await warehouse.ensure_dataset(keys.warehouse, slug, dataset)
    schema = physical_dataset(slug, node.dataset)
    return TransformPlan(
        project_sha256=dbt.project_sha256,
        project_url=f"/internal/v1/blobs/{dbt.project_sha256}",
        select=select,
        login=warehouse.login(keys.warehouse, keys.box, place.organization, schema),
    )


def _datasets(revision: Revision, dbt: DbtSpec, select: tuple[str, ...]) -> set[str]:
    slugs = {dbt.models[unique_id] for unique_id in select if unique_id in dbt.models}
    return {str(revision.nodes[slug]["dataset"]) for slug in slugs if slug in revision.nodes}


async def _refuse_foreign(dbt: DbtSpec, select: tuple[str, ...], storage: Storage) -> None:
    """What the spec does not name must at least be in the revision's own manifest: its tests."""
    unknown = set(select) - dbt.models.keys()
    if unknown:
        unknown -= await to_thread.run_sync(_manifest_ids, storage, dbt.manifest_sha256)
    if unknown or not select:
        raise InvalidConfig(
            f"select: not in this revision's project: {', '.join(sorted(unknown)) or '(nothing)'}",
            hint="name models, snapshots and tests by their unique_id",
        )


@lru_cache(maxsize=64)
def _manifest_ids(storage: Storage, sha256: str) -> frozenset[str]:
    """Of a document that never changes, so it is read once."""
    manifest = json.loads(storage.read(f"{BLOBS}/{sha256}"))
    return frozenset(manifest["nodes"])
