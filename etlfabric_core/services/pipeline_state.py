"""Where the next run of a pipeline begins, table by table: shown, and changed between two runs.

dlt's state lies at the destination of the published revision (docs/decisions/0014). A child
process reads and writes it; what it writes is fenced like a load, by the pipeline's lease.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from etlfabric_core.access.principal import Principal
from etlfabric_core.connectors import get_connector
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.extract_load.plan import StateChange
from etlfabric_core.graph.resources import ResourceConfig, WriteDisposition
from etlfabric_core.services import (
    audit,
    destination_abilities,
    leases,
    probe,
    state_versions,
)
from etlfabric_core.services.probe import Prober
from etlfabric_core.services.published_pipelines import PublishedPipeline, published
from etlfabric_core.services.state_versions import ACTIONS, Version


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


async def show(prober: Prober, principal: Principal, id: int) -> PipelineState:
    """The state of the published pipeline and the newest versions of it.

    Raises:
        NotFound: no such pipeline, or its destination is gone.
        InvalidConfig, TerminalError, TransientError: the destination cannot be read.
    """
    target = await _published(prober, principal, id)
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
    target = await _published(prober, principal, id)
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


async def _published(prober: Prober, principal: Principal, id: int) -> PublishedPipeline | None:
    target = await published(prober, principal, id)
    if target is not None:
        connector = get_connector(target.endpoint.connector)
        destination_abilities.require_state(connector, target.endpoint.config)
    return target


def _place(target: PublishedPipeline) -> dict[str, str]:
    return {"pipeline": target.pipeline, "dataset": target.dataset}


def _chosen(target: PublishedPipeline, asked: StateChange) -> ResourceConfig | None:
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
