"""Transformations: dbt models and snapshots. One that dbt refuses is never stored."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import OpenSession, get_owned
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.graph.checks import no_cycle, one_writer_per_table, problems_of, refs_are_known
from etlfabric_core.graph.kinds import KINDS as ALL_KINDS
from etlfabric_core.models import Node, Workflow
from etlfabric_core.services import nodes, organizations, warehouse, workflow_state
from etlfabric_core.services.nodes import NodeDraft
from etlfabric_core.services.tables import Rows, read_rows
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.slugs import physical_dataset
from etlfabric_core.specs.project import project_files
from etlfabric_core.specs.state import WorkflowState, graph_of
from etlfabric_core.transform.check import CheckedModel, check_model
from etlfabric_core.transform.parse import parse_project
from etlfabric_core.transform.plan import WarehouseLogin

KINDS = tuple(name for name, kind in ALL_KINDS.items() if kind.is_transformation)
FAILURES_DATASET = "test_failures"
# A change of these can make dbt refuse the project.
READ_BY_DBT = frozenset({"config", "dataset"})


@dataclass(frozen=True)
class Workbench:
    """What a check needs: short transactions, and the warehouse with its keys."""

    open_session: OpenSession
    warehouse: Warehouse
    box: SecretBox


@dataclass(frozen=True)
class _Candidate:
    """A transformation in its workflow, as both would be after the save."""

    slug: str
    state: WorkflowState
    login: WarehouseLogin


async def list_page(
    session: AsyncSession, page: PageRequest, workflow_id: int | None
) -> Page[Node]:
    """The transformations, oldest first."""
    return await fetch_page(session, nodes.of_kinds(KINDS, workflow_id), Node.id, page)


async def get(session: AsyncSession, id: int) -> Node:
    """The transformation of that id.

    Raises:
        NotFound: there is none in this organization.
    """
    return await nodes.get(session, id, KINDS)


async def create(bench: Workbench, principal: Principal, draft: NodeDraft) -> Node:
    """A new transformation, checked by dbt first; when it is refused, nothing is stored.

    Raises:
        NotFound: no such workflow.
        InvalidConfig: dbt or the database refuse it; problems have node and line.
        Conflict: the slug is taken.
        TransientError, UpstreamUnavailable: the warehouse does not answer.
    """
    await _require_good(await _draft_candidate(bench, principal, draft))
    await _ensure_datasets(bench.warehouse, principal, draft.dataset)
    async with bench.open_session() as session:
        # Once more: others may have saved while dbt was at work.
        return await nodes.add(session, principal, await nodes.draft_row(session, principal, draft))


async def change(
    bench: Workbench, principal: Principal, id: int, given: Mapping[str, Any], version: int | None
) -> Node:
    """Changes what is given, checked by dbt first when it matters to dbt.

    Raises:
        NotFound: no such transformation.
        PreconditionFailed: it was changed since `version`, or while dbt was at work.
        InvalidConfig, TransientError, UpstreamUnavailable: as for `create`.
    """
    async with bench.open_session() as session:
        node = await nodes.locked(session, id, KINDS, version)
        version = node.version
        candidate = None
        if READ_BY_DBT & given.keys():
            config = nodes.checked_config(node.kind, given.get("config", node.config))
            edited = nodes.snapshot_of(node).model_copy(
                update={"config": config, "dataset": given.get("dataset", node.dataset)}
            )
            workflow = await get_owned(session, Workflow, node.workflow_id)
            state = await workflow_state.load(session, principal, workflow)
            edited = edited.model_copy(update={"upstream": state.nodes[node.slug].upstream})
            state = workflow_state.with_node(state, node.slug, edited)
            candidate = await _candidate(session, bench, principal, node.slug, state)
    if candidate:
        await _require_good(candidate)
        dataset = candidate.state.nodes[candidate.slug].dataset
        await _ensure_datasets(bench.warehouse, principal, dataset)
    async with bench.open_session() as session:
        node = await nodes.locked(session, id, KINDS, version)
        return await nodes.apply(session, principal, node, given)


async def check(
    bench: Workbench, principal: Principal, draft: NodeDraft, *, id: int | None = None
) -> CheckedModel:
    """Compiles a transformation that is not saved; `id` is the stored one that it would replace.

    Raises:
        NotFound: no such workflow or transformation.
        InvalidConfig: the configuration has the wrong form.
        Conflict: the slug is taken by another node.
        TransientError, UpstreamUnavailable: the warehouse does not answer.
    """
    try:
        return await _checked(await _draft_candidate(bench, principal, draft, id))
    except InvalidConfig as error:
        if not error.problems:
            raise
        return CheckedModel("", error.problems)


async def preview(bench: Workbench, principal: Principal, id: int, *, limit: int) -> Rows:
    """The first rows that a stored transformation would make, as the organization's role.

    Raises:
        NotFound: no such transformation.
        InvalidConfig: it does not compile, or the database refuses the query.
        TransientError, UpstreamUnavailable: the warehouse does not answer.
    """
    async with bench.open_session() as session:
        node = await get(session, id)
        workflow = await get_owned(session, Workflow, node.workflow_id)
        state = await workflow_state.load(session, principal, workflow)
        candidate = await _candidate(session, bench, principal, node.slug, state)
    checked = await _checked(candidate)
    _refuse(candidate.slug, checked.problems)
    return await _first_rows(bench.warehouse, candidate, checked.compiled_sql, limit)


async def _draft_candidate(
    bench: Workbench, principal: Principal, draft: NodeDraft, replaced: int | None = None
) -> _Candidate:
    async with bench.open_session() as session:
        if replaced is None:
            node = await nodes.draft_row(session, principal, draft)
        else:
            node = await get(session, replaced)
            session.expunge(node)
            node.config = nodes.checked_config(node.kind, draft.config)
            node.dataset = draft.dataset
        workflow = await get_owned(session, Workflow, node.workflow_id)
        state = await workflow_state.load(session, principal, workflow)
        state = workflow_state.with_node(state, node.slug, nodes.snapshot_of(node))
        return await _candidate(session, bench, principal, node.slug, state)


async def _candidate(
    session: AsyncSession, bench: Workbench, principal: Principal, slug: str, state: WorkflowState
) -> _Candidate:
    organization = await organizations.get(session, principal)
    schema = physical_dataset(principal.org_slug, state.nodes[slug].dataset)
    login = warehouse.login(bench.warehouse, bench.box, organization, schema)
    return _Candidate(slug, state, login)


async def _checked(candidate: _Candidate) -> CheckedModel:
    """What our own rules, dbt and the database say. Blocking work runs beside the event loop."""
    found = problems_of(graph_of(candidate.state), (refs_are_known, one_writer_per_table, no_cycle))
    ours = [one for one in found if one.node == candidate.slug or one.edge]
    if ours:
        raise InvalidConfig(ours[0].message, problems=ours)
    files = project_files(candidate.state)
    await asyncio.to_thread(parse_project, files)
    return await asyncio.to_thread(check_model, files, candidate.slug, candidate.login)


async def _require_good(candidate: _Candidate) -> None:
    _refuse(candidate.slug, (await _checked(candidate)).problems)


def _refuse(slug: str, problems: tuple[Problem, ...]) -> None:
    if problems:
        line = f"line {problems[0].line}: " if problems[0].line else ""
        raise InvalidConfig(
            f"'{slug}' {line}{problems[0].message}", hint="mend the SQL", problems=problems
        )


async def _ensure_datasets(managed: Warehouse, principal: Principal, dataset: str) -> None:
    for name in (dataset, FAILURES_DATASET):
        await warehouse.ensure_dataset(managed, principal.org_slug, name)


async def _first_rows(managed: Warehouse, candidate: _Candidate, sql: str, limit: int) -> Rows:
    # A prepared statement is one statement, so the text cannot end the transaction; read-only and
    # the role's own rights bound what the query does.
    source = f"(\n{sql.strip().rstrip(';')}\n) AS preview"
    try:
        async with warehouse.reading(managed, candidate.login) as connection:
            return await read_rows(connection, source, limit=limit)
    except asyncpg.PostgresError as error:
        message, hint = str(error), "run the pipelines and models that it reads first"
        if isinstance(error, asyncpg.QueryCanceledError):
            message, hint = "the query took too long", "read less, for example by a WHERE"
        problem = Problem(message, node=candidate.slug)
        raise InvalidConfig(message, hint=hint, problems=[problem]) from error
