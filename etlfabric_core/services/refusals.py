"""What the DAG factory could not build, told to the organization whose workflow it is."""

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.scope import org_select
from etlfabric_core.errors import NotFound, Problem
from etlfabric_core.models import PublicationRow, Refusal, Workflow
from etlfabric_core.services.dag_ids import Place


async def record(session: AsyncSession, place: Place, *, seq: int, reason: str) -> None:
    """Keep why a publication of the place's workflow is not running; told twice, kept once.

    Raises:
        NotFound: the workflow has no such publication.
    """
    row = await session.scalar(
        org_select(PublicationRow).where(
            PublicationRow.id == seq, PublicationRow.workflow_id == place.workflow.id
        )
    )
    if row is None:
        raise NotFound(f"{place.workflow.slug} has no publication {seq}")
    values = {"org_id": row.org_id, "publication_id": seq, "reason": reason}
    statement = insert(Refusal).values(values)
    await session.execute(
        statement.on_conflict_do_update(
            constraint="uq_refusal_org_id_publication_id", set_={"reason": reason}
        )
    )


async def problem_of(session: AsyncSession, workflow: Workflow) -> Problem | None:
    """What keeps the newest publication of a workflow from running; None when nothing does."""
    newest = (
        org_select(PublicationRow)
        .where(PublicationRow.workflow_id == workflow.id)
        .with_only_columns(func.max(PublicationRow.id))
        .scalar_subquery()
    )
    refusal = await session.scalar(org_select(Refusal).where(Refusal.publication_id == newest))
    if refusal is None:
        return None
    return Problem(
        f"Airflow could not build the published revision, so the one before it goes on running: "
        f"{refusal.reason}"
    )
