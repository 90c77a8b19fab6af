"""The tenancy choke point: the only way to a session, and to a query on an org-owned table.

Row-level security stands below it on the same two settings of the transaction: `app.org_id` names
the organization, `app.platform` lets sign-in and the change feed look across organizations on the
few tables whose policy accepts it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from sqlalchemy import BigInteger, ColumnElement, Select, cast, func, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.engine import Sessions
from etlfabric_core.errors import NotFound
from etlfabric_core.models.base import Keyed, OrgOwned, SoftDeleted

Row = TypeVar("Row", bound=Keyed)
Owned = TypeVar("Owned", bound=OrgOwned)

# Opens a transaction of the caller's organization; for work that waits on other systems between
# short transactions.
OpenSession = Callable[[], AbstractAsyncContextManager[AsyncSession]]

SET = text("SELECT set_config(:name, :value, true)")


@asynccontextmanager
async def org_session(sessions: Sessions, org_id: int) -> AsyncIterator[AsyncSession]:
    """A transaction of one organization: committed at the end, rolled back on any exception."""
    async with sessions.begin() as session:
        await enter_organization(session, org_id)
        yield session


@asynccontextmanager
async def platform_session(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """A transaction of the platform itself: sign-in, the change feed. No organization is set."""
    async with sessions.begin() as session, platform(session):
        yield session


@asynccontextmanager
async def platform(session: AsyncSession) -> AsyncIterator[None]:
    """A stretch of a transaction that also looks across organizations, such as a user by e-mail."""
    await session.execute(SET, {"name": "app.platform", "value": "on"})
    yield
    # Not in a `finally`: after an error the transaction is over, and its settings with it.
    await session.execute(SET, {"name": "app.platform", "value": ""})


async def enter_organization(session: AsyncSession, org_id: int) -> None:
    """Binds the running transaction to an organization; PostgreSQL forgets it at the end."""
    await session.execute(SET, {"name": "app.org_id", "value": str(org_id)})


def _current_org() -> ColumnElement[int]:
    return cast(func.nullif(func.current_setting("app.org_id", True), ""), BigInteger)


def org_select(model: type[Owned], *, with_deleted: bool = False) -> Select[Owned]:
    """The living rows of the transaction's organization; without one, no rows."""
    statement = select(model) if with_deleted else _alive(select(model), model)
    return statement.where(model.org_id == _current_org())


def platform_select(model: type[Row]) -> Select[Row]:
    """The living rows of every organization, as far as the table's policy shows them."""
    return _alive(select(model), model)


async def get_owned(session: AsyncSession, model: type[Owned], id: int) -> Owned:
    """The living row of that id in the transaction's organization.

    Raises:
        NotFound: there is none, or it is another organization's; the answer is the same.
    """
    row = await session.scalar(org_select(model).where(model.id == id))
    if row is None:
        name = inspect(model).local_table.description
        raise NotFound(f"{name} {id} does not exist", hint="it may have been deleted")
    return row


def _alive(statement: Select[Row], model: type[Row]) -> Select[Row]:
    if issubclass(model, SoftDeleted):
        return statement.where(model.deleted_at.is_(None))
    return statement
