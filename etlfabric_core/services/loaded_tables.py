"""Tables that a pipeline has loaded, wherever it loads to: which they are, and their first rows.

Which they are is told by the reports of its loads, so nobody reads by way of a pipeline what no
load of it has written. Rows are read by the destination's own connector, in a child process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.connectors import get_connector
from etlfabric_core.db.scope import org_select
from etlfabric_core.errors import NotFound
from etlfabric_core.extract_load.shape.rejected import SUFFIX
from etlfabric_core.models import TaskResult
from etlfabric_core.services import dag_ids, pipelines, probe
from etlfabric_core.services.probe import Prober
from etlfabric_core.services.published_pipelines import published
from etlfabric_core.services.tables import MAX_CELL


@dataclass(frozen=True)
class LoadedTable:
    """A table by its name in the dataset. `has_rejected`: loads have put rows of it aside."""

    name: str
    has_rejected: bool


async def list_all(session: AsyncSession, principal: Principal, id: int) -> Sequence[LoadedTable]:
    """The tables that loads of a pipeline reported, by name.

    Raises:
        NotFound: no such pipeline.
    """
    node = await pipelines.get(session, id)
    ids = await dag_ids.listed(session, principal.org_slug, node.workflow_id)
    tables = func.jsonb_array_elements(TaskResult.load["tables"], type_=JSONB)
    loaded = (
        org_select(TaskResult)
        .where(TaskResult.node == node.slug, TaskResult.dag_id.in_(ids))
        .with_only_columns(tables.label("one"))
        .subquery()
    )
    name, rejected = loaded.c.one["table"].astext, loaded.c.one["rejected"].as_integer()
    query = select(name, func.bool_or(rejected > 0)).group_by(name).order_by(name)
    rows: Sequence[Any] = (await session.execute(query)).all()
    return [LoadedTable(name, has_rejected) for name, has_rejected in rows]


async def first_rows(
    prober: Prober, principal: Principal, id: int, table: str, *, limit: int
) -> Mapping[str, Any]:
    """The first rows of a loaded table, or of its rejected ones, in no particular order.

    Values are cut at 10,000 characters, and there are fewer rows where they are very large.

    Raises:
        NotFound: no such pipeline, its destination is gone, or no load has written such a table.
        InvalidConfig, TerminalError, TransientError: the destination cannot be read.
    """
    async with prober.opened() as session:
        known = {one.name for one in await list_all(session, principal, id)}
    target = await published(prober, principal, id)
    if target is None or not {table, table.removesuffix(SUFFIX)} & known:
        raise NotFound(
            f"no load of this pipeline has written a table '{table}'",
            hint="GET /pipelines/{id}/tables lists them",
        )
    loading = get_connector(target.endpoint.connector).loading_of(target.endpoint.config)
    if loading is None:
        raise NotFound("the destination of this pipeline holds no tables")
    source = loading.source(target.endpoint, target.dataset, table)
    found: Mapping[str, Any] = await probe.ask(
        prober, "preview", target.endpoint, table=source, limit=limit, longest=MAX_CELL
    )
    return found
