"""From a workflow as it is stored to a revision, and to a line of the feed that Airflow follows."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import OpenSession, get_owned, org_select
from etlfabric_core.errors import Conflict, FabricError, InvalidConfig, NotFound, Problem
from etlfabric_core.files.storage import Storage
from etlfabric_core.graph.checks import problems_of
from etlfabric_core.graph.kinds import KINDS
from etlfabric_core.models import Revision, Workflow
from etlfabric_core.orchestrator.port import Orchestrator
from etlfabric_core.services import audit, publications, restoring, workflow_state
from etlfabric_core.specs.changes import changes
from etlfabric_core.specs.compiler import compile_workflow, content_hash
from etlfabric_core.specs.document import DagSpec, DbtSpec
from etlfabric_core.specs.project import project_files
from etlfabric_core.specs.state import NodeSnapshot, WorkflowState, graph_of
from etlfabric_core.transform.parse import ParsedProject, parse_project

BLOBS = "blobs"
POOL_SECONDS = 3.0
log = structlog.get_logger()


@dataclass(frozen=True)
class Press:
    """What publishing needs beside the rows."""

    open_session: OpenSession
    storage: Storage
    orchestrator: Orchestrator
    pool_slots: int


@dataclass(frozen=True)
class Published:
    """The revision that is in force. `changed` False: there was nothing new to publish."""

    changed: bool
    revision: Revision


@dataclass(frozen=True)
class _Proof:
    """A checked state, and what dbt made of it."""

    state: WorkflowState
    project: ParsedProject | None


async def check(press: Press, principal: Principal, workflow_id: int) -> tuple[Problem, ...]:
    """Everything that would keep the workflow from being published.

    Raises:
        NotFound: no such workflow.
        TerminalError: dbt went over a limit.
    """
    state = await _stored_state(press, principal, workflow_id)
    try:
        await _proved(state)
    except InvalidConfig as error:
        return error.problems or (Problem(error.message),)
    return ()


async def publish(press: Press, principal: Principal, workflow_id: int) -> Published:
    """Makes the workflow as it is stored the next revision, if anything changed.

    Raises:
        NotFound: no such workflow.
        InvalidConfig: it is not valid; the last revision stays in force.
        Conflict: it was edited meanwhile.
    """
    state = await _stored_state(press, principal, workflow_id)
    proof = await _proved(state)
    dbt = await _stored_project(press.storage, proof.project)
    async with press.open_session() as session:
        workflow = await workflow_state.locked(session, workflow_id)
        if await workflow_state.load(session, principal, workflow) != state:
            raise Conflict(
                "the workflow was edited while it was being published", hint="publish it again"
            )
        published = await _record(session, principal, workflow, proof, dbt)
    await _ensure_pool(press, DagSpec.model_validate(published.revision.spec).pool)
    return published


async def restore(press: Press, principal: Principal, workflow_id: int, number: int) -> Published:
    """Publishes an old revision's nodes as the newest revision, and puts the rows back to them.

    Schedules stay as they are now.

    Raises:
        NotFound: no such workflow or revision, or a connection that it needs was deleted.
        InvalidConfig: it is not valid any more; nothing changes.
        Conflict: one of its names is taken by a node of another workflow.
    """
    async with press.open_session() as session:
        old = await revision(session, workflow_id, number)
        workflow = await get_owned(session, Workflow, workflow_id)
        now = await workflow_state.load(session, principal, workflow)
    nodes = {slug: NodeSnapshot.model_validate(node) for slug, node in old.nodes.items()}
    kept = tuple(one for one in now.schedules if set(one.select) <= nodes.keys())
    proof = await _proved(replace(now, nodes=nodes, schedules=kept))
    dbt = await _stored_project(press.storage, proof.project)
    async with press.open_session() as session:
        workflow = await workflow_state.locked(session, workflow_id)
        if await workflow_state.load(session, principal, workflow) != now:
            raise Conflict("the workflow was edited meanwhile", hint="try again")
        await restoring.put_back(session, principal, workflow, nodes)
        # The rows decide: ids of rows that had to be made anew differ from the old snapshot's.
        state = await workflow_state.load(session, principal, workflow)
        published = await _record(session, principal, workflow, replace(proof, state=state), dbt)
    await _ensure_pool(press, DagSpec.model_validate(published.revision.spec).pool)
    return published


async def revisions(session: AsyncSession, workflow_id: int, page: PageRequest) -> Page[Revision]:
    """The revisions of a workflow, newest first.

    Raises:
        NotFound: no such workflow.
    """
    await get_owned(session, Workflow, workflow_id)
    statement = org_select(Revision).where(Revision.workflow_id == workflow_id)
    return await fetch_page(session, statement, Revision.id, replace(page, newest_first=True))


async def revision(session: AsyncSession, workflow_id: int, number: int) -> Revision:
    """One revision of a workflow.

    Raises:
        NotFound: no such workflow or revision.
    """
    await get_owned(session, Workflow, workflow_id)
    found = await session.scalar(
        org_select(Revision).where(Revision.workflow_id == workflow_id, Revision.number == number)
    )
    if found is None:
        raise NotFound(f"revision {number} does not exist", hint="see the list of revisions")
    return found


async def _stored_state(press: Press, principal: Principal, workflow_id: int) -> WorkflowState:
    async with press.open_session() as session:
        workflow = await get_owned(session, Workflow, workflow_id)
        return await workflow_state.load(session, principal, workflow)


async def _proved(state: WorkflowState) -> _Proof:
    """The state, if our rules and dbt accept it.

    Raises:
        InvalidConfig: with every problem.
    """
    if not state.nodes:
        text = "the workflow is empty"
        raise InvalidConfig(text, hint="add a pipeline first", problems=[Problem(text)])
    if problems := problems_of(graph_of(state)):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidConfig(
            f"{problems[0].message}{more}", hint="mend what `problems` names", problems=problems
        )
    if not any(KINDS[node.kind].is_transformation for node in state.nodes.values()):
        return _Proof(state, None)
    return _Proof(state, await asyncio.to_thread(parse_project, project_files(state)))


async def _stored_project(storage: Storage, project: ParsedProject | None) -> DbtSpec | None:
    if project is None:
        return None
    archive = await asyncio.to_thread(storage.put_bytes, BLOBS, project.project_zip)
    manifest = await asyncio.to_thread(storage.put_bytes, BLOBS, project.manifest)
    return DbtSpec(
        project_sha256=archive.sha256,
        manifest_sha256=manifest.sha256,
        loads=project.loads,
        models=project.models,
    )


async def _record(
    session: AsyncSession,
    principal: Principal,
    workflow: Workflow,
    proof: _Proof,
    dbt: DbtSpec | None,
) -> Published:
    """The next revision of a locked workflow, or the one in force when nothing changed."""
    state = proof.state
    last = await session.scalar(
        org_select(Revision)
        .where(Revision.workflow_id == workflow.id)
        .order_by(Revision.number.desc())
        .limit(1)
    )
    spec = compile_workflow(
        state,
        revision=last.number + 1 if last else 1,
        dbt=dbt,
        edges=proof.project.edges if proof.project else (),
    )
    digest = content_hash(spec, state.nodes)
    if last and last.content_hash == digest:
        return Published(False, last)
    row = Revision(
        org_id=principal.org_id,
        workflow_id=workflow.id,
        number=spec.revision,
        content_hash=digest,
        spec=spec.model_dump(mode="json"),
        nodes={slug: node.model_dump(mode="json") for slug, node in state.nodes.items()},
        changes=_changes(last, spec, state),
        author_id=principal.user_id,
    )
    session.add(row)
    workflow.published_revision = spec.revision
    await session.flush()
    new = {"revision": spec.revision}
    await audit.record(session, principal, "publish", workflow, new=new)
    await publications.announce(session, principal, workflow, spec)
    return Published(True, row)


def _changes(last: Revision | None, spec: DagSpec, state: WorkflowState) -> list[Any]:
    if last is None:
        return changes({}, state.nodes, (), spec.schedules)
    before = {slug: NodeSnapshot.model_validate(node) for slug, node in last.nodes.items()}
    old_schedules = DagSpec.model_validate(last.spec).schedules
    return changes(before, state.nodes, old_schedules, spec.schedules)


async def _ensure_pool(press: Press, pool: str) -> None:
    """Makes the organization's pool when Airflow is there; a run does it again when it is not."""
    try:
        async with asyncio.timeout(POOL_SECONDS):
            await press.orchestrator.ensure_pool(pool, press.pool_slots)
    except (FabricError, TimeoutError) as error:
        log.warning("pool_not_made", pool=pool, error=str(error))
