"""Pipelines: nodes that load a source into a dataset."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import Direction, NoOptions, parse
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.graph.checks import one_writer_per_table
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.models import Connection, Node, Workflow
from etlfabric_core.services import (
    databases,
    destination_abilities,
    nodes,
    source_abilities,
    warehouse,
    workflow_state,
)
from etlfabric_core.services.connection_fields import file_refs
from etlfabric_core.services.nodes import NodeDraft
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.specs.state import graph_of

KINDS = ("pipeline",)
FIELDS = {
    Direction.SOURCE: "source_connection_id",
    Direction.DESTINATION: "destination_connection_id",
}


async def list_page(
    session: AsyncSession, page: PageRequest, workflow_id: int | None
) -> Page[Node]:
    """The pipelines, oldest first."""
    return await fetch_page(session, nodes.of_kinds(KINDS, workflow_id), Node.id, page)


async def get(session: AsyncSession, id: int) -> Node:
    """The pipeline of that id.

    Raises:
        NotFound: there is none in this organization.
    """
    return await nodes.get(session, id, KINDS)


async def create(
    session: AsyncSession,
    principal: Principal,
    managed: Warehouse,
    draft: NodeDraft,
    *,
    source_connection_id: int,
    destination_connection_id: int | None,
) -> Node:
    """A new pipeline; without a destination it loads into the managed warehouse.

    Raises:
        NotFound: no such workflow or connection.
        InvalidConfig: a connection cannot be used that way, the configuration or the slug is
            wrong, or another node already writes one of the tables.
        Conflict: the slug is taken.
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    node = await nodes.draft_row(session, principal, draft)
    node.source_connection_id = source_connection_id
    node.destination_connection_id = destination_connection_id or (
        await workflow_state.warehouse_id(session)
    )
    endpoints = {name: getattr(node, name) for name in FIELDS.values()}
    await _check_directions(session, endpoints)
    await _check_files(session, node)
    await _check_options(session, node)
    await _check_abilities(session, node)
    await nodes.add(session, principal, node)
    await _check_tables(session, principal, managed, node)
    return node


async def change(
    session: AsyncSession,
    principal: Principal,
    managed: Warehouse,
    id: int,
    given: Mapping[str, Any],
    version: int | None,
) -> Node:
    """Changes what is given; `destination_connection_id` None is the managed warehouse.

    Raises:
        NotFound: no such pipeline or connection.
        PreconditionFailed: it was changed since `version`.
        InvalidConfig, UpstreamUnavailable: as for `create`.
    """
    node = await get(session, id)
    await workflow_state.locked(session, node.workflow_id)
    node = await nodes.locked(session, id, KINDS, version)
    given = dict(given)
    if given.get("destination_connection_id", 0) is None:
        given["destination_connection_id"] = await workflow_state.warehouse_id(session)
    await _check_directions(session, given)
    await nodes.apply(session, principal, node, given)
    await _check_files(session, node)
    await _check_options(session, node)
    await _check_abilities(session, node)
    await _check_tables(session, principal, managed, node)
    return node


async def _check_directions(session: AsyncSession, given: Mapping[str, Any]) -> None:
    """The connections among the given columns can be used on their side of a pipeline."""
    for direction, field in FIELDS.items():
        if field not in given:
            continue
        connection = await get_owned(session, Connection, given[field])
        if connection.direction not in (direction, "both"):
            raise InvalidConfig(
                f"{field}: connection '{connection.slug}' can only be used as a"
                f" {connection.direction}",
                hint=f"choose a connection whose direction is {direction} or both",
                problems=[Problem(f"is no {direction}", field=field)],
            )


async def _check_files(session: AsyncSession, node: Node) -> None:
    """Every resource of a file connection names a file that the connection has."""
    connection = await get_owned(session, Connection, node.source_connection_id or 0)
    file_for = get_connector(connection.connector).file_for
    if file_for is None:
        return
    known = [file.name for file in await file_refs(session, connection.config)]
    problems = tuple(
        Problem(
            f"connection '{connection.slug}' has no file '{resource.source or resource.name}'",
            field=f"config.resources.{place}.source",
        )
        for place, resource in enumerate(PipelineConfig.model_validate(node.config).resources)
        if file_for(known, resource.source or resource.name) is None
    )
    if problems:
        hint = f"upload it to the connection, or name one of: {', '.join(known)}"
        raise InvalidConfig(problems[0].message, hint=hint, problems=problems)


async def _check_options(session: AsyncSession, node: Node) -> None:
    """The options of every resource are those of its connector."""
    connection = await get_owned(session, Connection, node.source_connection_id or 0)
    model = get_connector(connection.connector).resource_options or NoOptions
    problems: list[Problem] = []
    for place, resource in enumerate(PipelineConfig.model_validate(node.config).resources):
        try:
            parse(model, resource.options)
        except InvalidConfig as error:
            field = f"config.resources.{place}.options"
            problems += [replace(one, field=f"{field}.{one.field}") for one in error.problems]
    if problems:
        raise InvalidConfig(
            f"{problems[0].field}: {problems[0].message}",
            hint="correct the fields named in `problems`",
            problems=problems,
        )


async def _check_abilities(session: AsyncSession, node: Node) -> None:
    """Source and destination can do what the configuration asks of them."""
    source = await get_owned(session, Connection, node.source_connection_id or 0)
    config = PipelineConfig.model_validate(node.config)
    source_abilities.require(get_connector(source.connector), config)
    destination = await get_owned(session, Connection, node.destination_connection_id or 0)
    connector = get_connector(destination.connector)
    destination_abilities.require(connector, destination.config, config)
    databases.require_writable(destination)


async def _check_tables(
    session: AsyncSession, principal: Principal, managed: Warehouse, node: Node
) -> None:
    """Nobody else writes the tables of a flushed pipeline, and their schema is there."""
    workflow = await get_owned(session, Workflow, node.workflow_id)
    state = await workflow_state.load(session, principal, workflow)
    if problems := tuple(one_writer_per_table(graph_of(state))):
        raise InvalidConfig(
            problems[0].message,
            hint="choose another dataset, or another table name",
            problems=problems,
        )
    if node.destination_connection_id == state.warehouse_id:
        await warehouse.ensure_dataset(managed, principal.org_slug, node.dataset)
