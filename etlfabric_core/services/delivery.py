"""What a workflow runs now, and whether the orchestrator has it already."""

import asyncio
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.errors import Conflict, NotFound, TransientError
from etlfabric_core.models import Workflow
from etlfabric_core.orchestrator.port import Orchestrator
from etlfabric_core.services import dag_ids
from etlfabric_core.specs.document import DagSpec

SECONDS = 45.0  # a busy machine takes its time; proxies commonly give up after 60
POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Published:
    """What a workflow runs now: its newest publication."""

    seq: int
    spec: DagSpec


async def published_now(session: AsyncSession, workflow: Workflow) -> Published:
    """What the orchestrator is to run of a workflow.

    Raises:
        Conflict: nothing is published yet.
    """
    row = await dag_ids.publication(session, workflow)
    if row is None or row.spec is None:
        raise Conflict(
            f"workflow '{workflow.slug}' has nothing published", hint="publish it, then run it"
        )
    return Published(row.id, DagSpec.model_validate(row.spec))


async def delivered(
    orchestrator: Orchestrator, published: Published, *, seconds: float = SECONDS
) -> None:
    """Waits until the orchestrator would run this publication or a newer one.

    Raises:
        TransientError: it does not within `seconds`.
        Conflict: the DAG is paused.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await _has(orchestrator, published):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise TransientError(
            f"Airflow has not taken over revision {published.spec.revision} of"
            f" {published.spec.dag_id} within {seconds:g} s",
            hint="try again in a moment; if it stays, see whether Airflow's dag-processor runs",
        ) from error


async def _has(orchestrator: Orchestrator, published: Published) -> bool:
    try:
        dag = await orchestrator.dag(published.spec.dag_id)
    except NotFound:
        return False
    version = dag.bundle_version or ""
    current = version.isdigit() and int(version) >= published.seq and not dag.is_stale
    if current and dag.is_paused:
        raise Conflict(
            f"{dag.dag_id} is paused in Airflow", hint="ask the operator to unpause it there"
        )
    return current
