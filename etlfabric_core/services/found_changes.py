"""What loads tell of changes they found: kept, and told to the next load with what was decided."""

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.scope import org_select
from etlfabric_core.extract_load.plan import (
    Agreement,
    ColumnChange,
    LoadResult,
    Rejection,
    TableChange,
)
from etlfabric_core.graph.configs import SchemaPolicy
from etlfabric_core.models import Node, Organization, SchemaChange
from etlfabric_core.specs.context import ChangeReport, RunRef
from etlfabric_core.specs.state import NodeSnapshot

OPEN = ("pending", "approved")


async def agreement(session: AsyncSession, node: NodeSnapshot) -> Agreement:
    """What a load of the pipeline has to know: what is settled, approved and rejected."""
    query = org_select(SchemaChange).where(
        SchemaChange.node_id == node.id,
        SchemaChange.state.in_(("applied", "approved", "rejected")),
    )
    rows = (await session.scalars(query.order_by(SchemaChange.id))).all()
    rejected = [row for row in rows if row.state == "rejected" and _stands(row, node)]
    return Agreement(
        settled=tuple(_settled(row for row in rows if row.state == "applied")),
        approved=tuple(_change(row) for row in rows if row.state == "approved"),
        rejected=tuple(
            Rejection(id=row.id, note=row.note, **_change(row).model_dump()) for row in rejected
        ),
    )


async def keep(
    session: AsyncSession, organization: Organization, said: ChangeReport, node: NodeSnapshot
) -> None:
    """Keeps what a load found. The same changes of a table that still wait are kept once."""
    found = said.found
    for change in found.tables:
        same = None
        for row in await _undone(session, node.id, change.table):
            if _change(row) == change and (row.state in OPEN or _stands(row, node)):
                same = row
            elif row.state in OPEN:
                row.state = "superseded"
        if same is None:
            same = _new(organization, said, node, change)
            session.add(same)
        _take_over(same, said)
    await session.flush()


async def arrived(session: AsyncSession, run: RunRef, load: LoadResult) -> None:
    """Settles the open changes of the tables that a load brought to its end.

    What no load had gone on with is not there any more: the tables changed again, or back.
    """
    node_id = org_select(Node).with_only_columns(Node.id).where(Node.slug == run.node)
    tables = [table.table for table in load.tables]
    query = org_select(SchemaChange).where(
        SchemaChange.node_id.in_(node_id),
        SchemaChange.state.in_(OPEN),
        SchemaChange.table_name.in_(tables),
    )
    for row in await session.scalars(query.with_for_update()):
        row.state = "applied" if row.applied_run_id else "superseded"


def _new(
    organization: Organization, said: ChangeReport, node: NodeSnapshot, change: TableChange
) -> SchemaChange:
    return SchemaChange(
        org_id=organization.id,
        node_id=node.id,
        table_name=change.table,
        changes=[one.model_dump(mode="json") for one in change.changes],
        policy=said.found.policy,
        state="pending",
        config_hash=_config_hash(node),
        dag_id=said.run.dag_id,
        run_id=said.run.run_id,
    )


def _take_over(row: SchemaChange, said: ChangeReport) -> None:
    """What the policy decides without anybody."""
    found = said.found
    row.policy = found.policy
    if found.goes_on:
        row.state, row.applied_run_id = "approved", said.run.run_id
    elif found.policy is SchemaPolicy.REFUSE:
        row.state = "rejected"


async def _undone(session: AsyncSession, node_id: int, table: str) -> Sequence[SchemaChange]:
    """Changes of a table that were not applied, oldest first."""
    query = org_select(SchemaChange).where(
        SchemaChange.node_id == node_id,
        SchemaChange.table_name == table,
        SchemaChange.state.in_((*OPEN, "rejected")),
    )
    return (await session.scalars(query.order_by(SchemaChange.id).with_for_update())).all()


def _stands(row: SchemaChange, node: NodeSnapshot) -> bool:
    """Whether a rejection still holds: the configuration is the same."""
    return row.config_hash == _config_hash(node)


def _settled(applied: Iterable[SchemaChange]) -> Iterable[TableChange]:
    """The last word on every column of which the table itself says something else."""
    last: dict[str, dict[str | None, ColumnChange]] = {}
    for row in applied:
        changes = _change(row).changes
        if changes and changes[0].kind == "table_added":
            last.pop(row.table_name, None)
        last.setdefault(row.table_name, {}).update({one.column: one for one in changes})
    for table, columns in last.items():
        kept = [one for one in columns.values() if one.kind in ("column_removed", "type_changed")]
        if kept:
            yield TableChange(table=table, changes=tuple(kept))


def _change(row: SchemaChange) -> TableChange:
    changes = tuple(ColumnChange.model_validate(one) for one in row.changes)
    return TableChange(table=row.table_name, changes=changes)


def _config_hash(node: NodeSnapshot) -> str:
    return hashlib.sha256(node.parsed_config().model_dump_json().encode()).hexdigest()
