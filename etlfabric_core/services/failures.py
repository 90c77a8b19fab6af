"""Rows that failed tests of a transformation found, kept by dbt in the warehouse."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.scope import org_select
from etlfabric_core.errors import NotFound
from etlfabric_core.models import TaskResult
from etlfabric_core.services import tables, transformations
from etlfabric_core.services.tables import Place, Rows
from etlfabric_core.services.transformations import FAILURES_DATASET
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.slugs import physical_dataset
from etlfabric_core.transform.plan import DbtNodeResult, TransformResult


@dataclass(frozen=True)
class TestFailures:
    """One test that found rows. `failures` is their number in the run that reported it; the rows
    are those of the newest run of the test, None when they are gone."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    test: str
    status: str
    message: str | None
    failures: int
    rows: Rows | None


async def reported(session: AsyncSession, id: int, run_id: str | None) -> tuple[DbtNodeResult, ...]:
    """The failed tests of a transformation in a run; None: in the newest that reported.

    Raises:
        NotFound: no such transformation.
    """
    node = await transformations.get(session, id)
    statement = org_select(TaskResult).where(
        TaskResult.node == node.slug, TaskResult.transform.is_not(None)
    )
    if run_id is not None:
        statement = statement.where(TaskResult.run_id == run_id)
    result = await session.scalar(statement.order_by(TaskResult.id.desc()).limit(1))
    if result is None:
        return ()
    found = TransformResult.model_validate(result.transform).nodes
    return tuple(one for one in found if one.failures and one.failures_relation)


async def rows_of(
    session: AsyncSession,
    principal: Principal,
    failed: tuple[DbtNodeResult, ...],
    *,
    managed: Warehouse,
    box: SecretBox,
    limit: int,
) -> list[TestFailures]:
    """The failed tests with their rows.

    Raises:
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    login = await tables.reader(session, principal, managed, box)
    found = []
    for one in failed:
        place = _place(principal, one.failures_relation or "")
        rows = None
        if place is not None:
            try:
                rows = await tables.first_rows(managed, login, place, limit=limit)
            except NotFound:  # a later run of the test found nothing, or it was deleted
                rows = None
        found.append(TestFailures(one.unique_id, one.status, one.message, one.failures or 0, rows))
    return found


def _place(principal: Principal, relation: str) -> Place | None:
    """Where the rows lie, if it is in this organization's own schema for them."""
    parts = [part.strip('"') for part in relation.split(".")][-2:]
    if len(parts) != 2 or parts[0] != physical_dataset(principal.org_slug, FAILURES_DATASET):
        return None
    return Place(principal.org_slug, FAILURES_DATASET, parts[1])
