"""The change feed that Airflow's side follows. In platform sessions only."""

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.scope import platform_select
from etlfabric_core.errors import NotFound
from etlfabric_core.models import PublicationRow
from etlfabric_core.specs.document import Publication, PublicationPage


async def publications(session: AsyncSession, *, after: int, limit: int) -> PublicationPage:
    """What was published after a sequence number: of each workflow the newest in this page.

    One query by primary key; when nothing changed it reads nothing.
    """
    rows = list(
        await session.scalars(
            platform_select(PublicationRow)
            .where(PublicationRow.id > after)
            .order_by(PublicationRow.id)
            .limit(limit + 1)
        )
    )
    page = rows[:limit]
    newest = {(row.org_slug, row.workflow_slug): row for row in page}
    return PublicationPage(
        after=after,
        last_seq=page[-1].id if page else after,
        complete=len(rows) <= limit,
        publications=tuple(
            _document(row) for row in sorted(newest.values(), key=lambda row: row.id)
        ),
    )


async def publication(
    session: AsyncSession, *, org: str, workflow: str, at: int | None
) -> Publication:
    """The newest publication of a workflow, at or below a sequence number if one is given.

    Raises:
        NotFound: there is none.
    """
    statement = platform_select(PublicationRow).where(
        PublicationRow.org_slug == org, PublicationRow.workflow_slug == workflow
    )
    if at is not None:
        statement = statement.where(PublicationRow.id <= at)
    row = await session.scalar(statement.order_by(PublicationRow.id.desc()).limit(1))
    if row is None:
        raise NotFound(f"nothing is published of {org}.{workflow}", hint="see the feed")
    return _document(row)


def _document(row: PublicationRow) -> Publication:
    return Publication.model_validate(
        {"seq": row.id, "org": row.org_slug, "workflow": row.workflow_slug, "spec": row.spec}
    )
