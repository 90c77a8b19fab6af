"""Where the next run of a pipeline begins, table by table: shown, and changed between two runs.

dlt's state lies at the destination of the published revision (docs/decisions/0014). A child
process reads and writes it; what it writes is fenced like a load, by the pipeline's lease.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.extract_load.plan import Endpoint, StateChange
from etlfabric_core.graph.configs import PipelineConfig, ResourceConfig, WriteDisposition
from etlfabric_core.models import Node, Revision, Workflow
from etlfabric_core.services import (
    audit,
    connections,
    dag_ids,
    leases,
    pipelines,
    probe,
    state_versions,
)
from etlfabric_core.services.probe import Prober
from etlfabric_core.services.run_context import destination_of, pipeline_name
from etlfabric_core.services.state_versions import ACTIONS, Version
from etlfabric_core.slugs import physical_dataset
from etlfabric_core.specs.state import NodeSnapshot


@dataclass(frozen=True)
class ResourceState:
    """How far one resource has come. `follows` is false where every run reads it as a whole."""

    name: str
    table: str
    write_disposition: WriteDisposition
    cursor: str | None
    follows: bool
    position: Mapping[str, Any] | None


@dataclass(frozen=True)
class PipelineState:
    """`is_held`: a run is loading, so that nothing can be changed. The newest version is first."""

    published: bool
    is_held: bool
    resources: Sequence[ResourceState]
    history: Sequence[Version]


@dataclass(frozen=True)
class _Target:
    """The published pipeline, and where its state lies."""

    node: Node
    config: PipelineConfig
    pipeline: str
    dataset: str
    endpoint: Endpoint


async def show(prober: Prober, principal: Principal, id: int) -> PipelineState:
    """The state of the published pipeline and the newest versions of it.

    Raises:
        NotFound: no such pipeline, or its destination is gone.
        InvalidConfig, TerminalError, TransientError: the destination cannot be read.
    """
    target = await _target(prober, principal, id)
    if target is None:
        return PipelineState(published=False, is_held=False, resources=(), history=())
    names = [resource.name for resource in target.config.resources]
    answer = await probe.ask(prober, "state", target.endpoint, **_place(target), names=names)
    versions = answer["versions"]
    async with prober.opened() as session:
        is_held = await leases.is_held(session, id)
        history = await state_versions.explained(session, target.node, versions)
    newest = versions[0]["positions"] if versions else ()
    return PipelineState(
        published=True,
        is_held=is_held,
        resources=[
            _resource(resource, answer["tables"][resource.name], newest)
            for resource in target.config.resources
        ],
        history=history,
    )


async def change(
    prober: Prober, principal: Principal, id: int, asked: StateChange
) -> Mapping[str, Any]:
    """Changes the state as asked, between two runs, and notes it.

    `asked.resource` is the name of a resource. For `set` its cursor is the configured one.

    Raises:
        NotFound: no such pipeline or resource, or its destination is gone.
        Conflict: a run is loading, nothing is published or loaded yet, or nothing would change.
        InvalidConfig: the value is not one of the cursor's type.
        TerminalError, TransientError: the destination cannot be written.
    """
    target = await _target(prober, principal, id)
    if target is None:
        raise Conflict("nothing of this pipeline is published", hint="publish it, then run it")
    resource = _chosen(target, asked)
    if asked.action == "set":
        asked = asked.model_copy(update={"column": resource and _loaded_cursor(resource)})
    async with _held(prober, id) as epoch:
        done: Mapping[str, Any] = await probe.ask(
            prober,
            "change_state",
            target.endpoint,
            **_place(target),
            epoch=epoch,
            asked=asked.model_dump(exclude_none=True),
        )
        async with prober.opened() as session:
            old, new = ({"cursors": _told(done[key])} for key in ("before", "after"))
            told = {"load_id": done["load_id"], "resource": asked.resource}
            if asked.load_id:
                told["restored"] = asked.load_id
            action = ACTIONS[asked.action]
            await audit.record(
                session, principal, action, target.node, old=old, new={**told, **new}
            )
    return done


@asynccontextmanager
async def _held(prober: Prober, node_id: int) -> AsyncIterator[int]:
    """The pipeline's lease, for less time than it lives: the child has a limit of its own."""
    async with prober.opened() as session:
        epoch, holder = await leases.hold(session, prober.org_id, node_id)
    try:
        yield epoch
    finally:
        async with prober.opened() as session:
            await leases.give_back(session, prober.org_id, node_id, holder)


async def _target(prober: Prober, principal: Principal, id: int) -> _Target | None:
    """None: the pipeline is not in the published revision."""
    async with prober.opened() as session:
        node = await pipelines.get(session, id)
        snapshot = await _published(session, node)
        if snapshot is None:
            return None
        destination = await destination_of(session, snapshot)
        endpoint = await connections.resolve_endpoint(
            session, destination, box=prober.box, allowed=prober.allowed
        )
    dataset = snapshot.dataset
    if destination.managed:
        dataset = physical_dataset(principal.org_slug, dataset)
    return _Target(
        node=node,
        config=PipelineConfig.model_validate(snapshot.config),
        pipeline=pipeline_name(principal.org_slug, node.slug),
        dataset=dataset,
        endpoint=endpoint,
    )


async def _published(session: AsyncSession, node: Node) -> NodeSnapshot | None:
    workflow = await get_owned(session, Workflow, node.workflow_id)
    row = await dag_ids.publication(session, workflow)
    if row is None or row.spec is None:
        return None
    revision = await session.scalar(
        org_select(Revision).where(
            Revision.workflow_id == workflow.id, Revision.number == row.revision_number
        )
    )
    found = revision and revision.nodes.get(node.slug)
    return NodeSnapshot.model_validate(found) if found else None


def _place(target: _Target) -> dict[str, str]:
    return {"pipeline": target.pipeline, "dataset": target.dataset}


def _chosen(target: _Target, asked: StateChange) -> ResourceConfig | None:
    if asked.resource is None:
        return None
    found = next((r for r in target.config.resources if r.name == asked.resource), None)
    if found is None:
        raise NotFound(
            f"the published pipeline has no resource '{asked.resource}'",
            hint="choose one of its resources",
        )
    return found


def _loaded_cursor(resource: ResourceConfig) -> str:
    """The cursor's column at the destination.

    Raises:
        Conflict: the resource has none.
    """
    if resource.cursor is None:
        raise Conflict(
            f"resource '{resource.name}' has no cursor", hint="give it one, publish and run it"
        )
    column = resource.columns.get(resource.cursor.column)
    return (column and column.name) or resource.cursor.column


def _resource(
    resource: ResourceConfig, table: str, positions: Sequence[Mapping[str, Any]]
) -> ResourceState:
    cursor = _loaded_cursor(resource) if resource.cursor else None
    at = [p for p in positions if p["resource"] == table and p["column"] == cursor]
    follows = cursor is not None and resource.write_disposition is not WriteDisposition.REPLACE
    return ResourceState(
        name=resource.name,
        table=table,
        write_disposition=resource.write_disposition,
        cursor=cursor,
        follows=follows,
        position=at[0] if at and follows else None,
    )


def _told(positions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{place['resource']}.{place['column']}": place["text"] for place in positions}
