"""Nodes of a workflow: what pipelines and transformations have in common."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from sqlalchemy import Select, or_
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.errors import Conflict, InvalidConfig, NotFound, PreconditionFailed, Problem
from etlfabric_core.graph.kinds import get_kind
from etlfabric_core.models import Edge, Node, Schedule
from etlfabric_core.services import audit, workflow_state
from etlfabric_core.services.naming import new_slug, require_free
from etlfabric_core.specs.state import NodeSnapshot, graph_of

# Task ids of the DAG itself.
RESERVED_SLUGS = frozenset({"begin", "end", "transform"})
AUDITED = ("name", "slug", "kind", "dataset", "config", "retries", "description")

Checked = TypeVar("Checked", bound=BaseModel)


@dataclass(frozen=True)
class NodeDraft:
    """What a user says about a new node."""

    workflow_id: int
    kind: str
    name: str
    dataset: str
    config: Mapping[str, Any]
    slug: str | None = None
    description: str = ""
    retries: int = 5
    position: dict[str, Any] | None = None


def of_kinds(kinds: Collection[str], workflow_id: int | None) -> Select[Node]:
    """The living nodes of these kinds, of one workflow if one is given."""
    statement = org_select(Node).where(Node.kind.in_(kinds))
    return statement if workflow_id is None else statement.where(Node.workflow_id == workflow_id)


async def get(session: AsyncSession, id: int, kinds: Collection[str]) -> Node:
    """The node of that id.

    Raises:
        NotFound: there is none in this organization, or it is of another kind.
    """
    node = await get_owned(session, Node, id)
    if node.kind not in kinds:
        raise NotFound(f"node {id} does not exist", hint="it may be of another kind")
    return node


async def locked(
    session: AsyncSession, id: int, kinds: Collection[str], version: int | None
) -> Node:
    """The node, held until the transaction ends, if it still has the version that was read.

    Raises:
        NotFound: there is none.
        PreconditionFailed: it was changed since.
    """
    node = await get(session, id, kinds)
    await session.refresh(node, with_for_update=True)
    if node.deleted_at is not None:
        raise NotFound(f"node {id} does not exist", hint="it was deleted just now")
    if version is not None and node.version != version:
        raise PreconditionFailed(
            f"'{node.slug}' was changed since you read it: it is at version {node.version}",
            hint="load it again, then repeat your change",
        )
    return node


def checked_config(kind: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it is stored.

    Raises:
        InvalidConfig: a field is missing, unknown or wrong; one problem per field.
    """
    return checked(get_kind(kind).config, values, field="config").model_dump(mode="json")


def checked(model: type[Checked], values: Mapping[str, Any], *, field: str) -> Checked:
    """The values, given as `field`, as a model.

    Raises:
        InvalidConfig: one of them is missing, unknown or wrong; one problem per field.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = [
            Problem(
                str(entry["msg"]).removeprefix("Value error, "),
                field=".".join(str(part) for part in (field, *entry["loc"])),
            )
            for entry in error.errors(include_input=False, include_url=False)
        ]
        first = problems[0]
        raise InvalidConfig(f"{first.field}: {first.message}", problems=problems) from None


async def draft_row(session: AsyncSession, principal: Principal, draft: NodeDraft) -> Node:
    """A row for a new node, not added to the session.

    Raises:
        NotFound: no such workflow.
        InvalidConfig: slug or configuration are wrong.
        Conflict: the slug is taken in this organization.
    """
    workflow = await workflow_state.locked(session, draft.workflow_id)
    slug = new_slug(draft.name, draft.slug)
    if slug in RESERVED_SLUGS:
        raise InvalidConfig(
            f"'{slug}' is the name of a task that every workflow has",
            hint="choose another name, or give another `slug`",
            problems=[Problem("reserved", field="slug")],
        )
    taken = org_select(Node).where(Node.slug == slug).with_only_columns(Node.id)
    await require_free(session, taken, slug)
    return Node(
        org_id=principal.org_id,
        workflow_id=workflow.id,
        kind=draft.kind,
        name=draft.name,
        slug=slug,
        description=draft.description,
        dataset=draft.dataset,
        config=checked_config(draft.kind, draft.config),
        retries=draft.retries,
        position=draft.position,
    )


async def add(session: AsyncSession, principal: Principal, node: Node) -> Node:
    """Stores a new node."""
    session.add(node)
    await session.flush()
    await audit.record(session, principal, "create", node, new=_audited(node))
    return node


async def apply(
    session: AsyncSession, principal: Principal, node: Node, given: Mapping[str, Any]
) -> Node:
    """Changes the given columns of a locked node and counts the edit.

    Raises:
        InvalidConfig: the configuration is wrong.
    """
    old = _audited(node)
    for key, value in given.items():
        setattr(node, key, checked_config(node.kind, value) if key == "config" else value)
    node.version += 1
    await session.flush()
    await audit.record(session, principal, "update", node, old=old, new=_audited(node))
    return node


async def delete(
    session: AsyncSession,
    principal: Principal,
    id: int,
    kinds: Collection[str],
    version: int | None = None,
) -> None:
    """Deletes a node with its edges and schedules.

    Raises:
        NotFound: no such node.
        PreconditionFailed: it was changed since.
        Conflict: a transformation reads what it makes.
    """
    node = await get(session, id, kinds)
    workflow = await workflow_state.locked(session, node.workflow_id)
    node = await locked(session, id, kinds, version)
    graph = graph_of(await workflow_state.load(session, principal, workflow))
    if readers := [below for above, below in graph.derived if above == node.slug]:
        raise Conflict(
            f"'{node.slug}' is read by: {', '.join(readers)}",
            hint="change or delete those first",
            problems=[Problem(f"reads '{node.slug}'", node=reader) for reader in readers],
        )
    node.deleted_at = clock.now()
    of_edge = or_(Edge.upstream_id == id, Edge.downstream_id == id)
    for statement in (
        org_select(Edge).where(of_edge),
        org_select(Schedule).where(Schedule.node_id == id),
    ):
        for row in await session.scalars(statement):
            row.deleted_at = node.deleted_at
            await audit.record(session, principal, "delete", row)
    await session.flush()
    await audit.record(session, principal, "delete", node, old=_audited(node))


def snapshot_of(node: Node, upstream: tuple[str, ...] = ()) -> NodeSnapshot:
    """A row, stored or not, as a snapshot."""
    return NodeSnapshot(
        id=node.id or 0,
        kind=node.kind,
        name=node.name,
        description=node.description or "",
        dataset=node.dataset,
        source_connection_id=node.source_connection_id,
        destination_connection_id=node.destination_connection_id,
        config=node.config,
        retries=node.retries,
        upstream=upstream,
    )


def _audited(node: Node) -> dict[str, Any]:
    return {key: getattr(node, key) for key in AUDITED}
