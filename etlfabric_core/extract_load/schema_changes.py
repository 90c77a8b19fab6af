"""What changed since the last load: found before a row is read, and held against the policy.

Contracts have their say first; this is about what they let through. A load that finds none of its
tables is a first one, and changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.contract import family, normal_name, type_of
from etlfabric_core.extract_load.plan import (
    Agreement,
    ColumnChange,
    FoundChanges,
    LoadPlan,
    Rejection,
    TableChange,
)
from etlfabric_core.extract_load.planned_table import RESERVED_PREFIXES, PlannedTable
from etlfabric_core.extract_load.shape.versions import VERSION
from etlfabric_core.extract_load.typed import arriving_column
from etlfabric_core.graph.configs import PipelineConfig, SchemaPolicy
from etlfabric_core.graph.resources import DELETED_AT

Types = Mapping[str, str]
MOST_TOLD = 5  # tables in a message, and changes of each; all of them are in the inbox


def require_agreed(
    plan: LoadPlan,
    tables: Sequence[PlannedTable],
    types_of: Callable[[str], Types],
    announce: Callable[[FoundChanges], None],
) -> None:
    """Goes on if nothing changed, or if the policy or somebody lets it through.

    `announce` gets what was found before the load goes on or fails.

    Raises:
        TerminalError: the changes are refused, rejected or not approved yet.
    """
    changed = found(plan, tables, types_of)
    if not changed:
        return
    policy = plan.config.schema_changes
    error = _objection(policy, plan.agreement, changed)
    announce(FoundChanges(policy=policy, goes_on=error is None, tables=tuple(changed)))
    if error:
        raise error


def found(
    plan: LoadPlan, tables: Sequence[PlannedTable], types_of: Callable[[str], Types]
) -> list[TableChange]:
    """The changes of each table; of a first load there are none."""
    there = {table.name: types_of(table.name) for table in tables}
    if not any(there.values()):
        return []
    settled = {one.table: one.changes for one in plan.agreement.settled}
    changed = []
    for table in tables:
        if there[table.name]:
            changes = _column_changes(table, there[table.name], settled.get(table.name, ()))
        else:
            changes = [] if _is_asked_for(plan.config, table) else _all_new(table)
        if changes:
            changed.append(TableChange(table=table.name, changes=tuple(changes)))
    return changed


def words(change: TableChange) -> str:
    """A table's changes in one line."""
    told = ", ".join(_told(one) for one in change.changes[:MOST_TOLD])
    more = len(change.changes) - MOST_TOLD
    return f"table '{change.table}': {told}" + (f" and {more} more" if more > 0 else "")


def _is_asked_for(config: PipelineConfig, table: PlannedTable) -> bool:
    """Whether somebody named the table, so that it is new because of that."""
    if config.mode != "full_database" or table.config.source in config.table_names:
        return True
    return table.config in config.resources


def _all_new(table: PlannedTable) -> list[ColumnChange]:
    outgoing = _outgoing(table)
    new = [ColumnChange(kind="column_added", column=name, new=outgoing[name]) for name in outgoing]
    return [ColumnChange(kind="table_added"), *new]


def _column_changes(
    table: PlannedTable, there: Types, settled: Sequence[ColumnChange]
) -> list[ColumnChange]:
    outgoing, agreed = _outgoing(table), _agreed(there, settled)
    asked_for = _named_columns(table)
    changes = []
    for name, new in outgoing.items():
        old = agreed.get(name)
        if old is None and name not in asked_for:
            changes.append(ColumnChange(kind="column_added", column=name, new=new))
        elif old not in (None, new) and not _was_only_seen(table, old, new):
            kept = family(there[name])
            change = {"column": name, "old": old, "new": new, "table_type": kept}
            changes.append(ColumnChange(kind="type_changed", **change))
    gone = [] if table.source.are_seen else _gone(table, outgoing, agreed)
    removed = [ColumnChange(kind="column_removed", column=one, old=agreed[one]) for one in gone]
    return changes + removed


def _outgoing(table: PlannedTable) -> dict[str, str]:
    """Columns as they are called in the table, and the families of their types."""
    own = VERSION if table.config.is_historized else None
    arriving = [arriving_column(one, table.holds) for one in table.columns if one.name != own]
    return {normal_name(one.name): type_of(one) for one in arriving}


def _agreed(there: Types, settled: Sequence[ColumnChange]) -> dict[str, str]:
    """What the last load wrote: not every column of the table, nor always of its type."""
    agreed = {name: family(type_) for name, type_ in there.items()}
    for change in settled:
        if change.column not in agreed:
            continue
        if change.new is None:
            del agreed[change.column]
        else:
            agreed[change.column] = change.new
    return agreed


def _named_columns(table: PlannedTable) -> set[str]:
    """Columns that the configuration speaks of: they are new because somebody wants them."""
    config = table.config
    names = [one.name or source for source, one in config.columns.items()]
    return {normal_name(name) for name in (*names, *config.calculated)}


def _was_only_seen(table: PlannedTable, old: str | None, new: str) -> bool:
    """Whether records are what tells the type, and those that were looked at say less than old."""
    return table.source.are_seen and (old, new) == ("number", "integer")


def _gone(table: PlannedTable, outgoing: Types, agreed: Types) -> list[str]:
    """What the source has no longer. What it has and is not loaded, somebody left out."""
    at_source = {normal_name(column.name) for column in table.source.columns}
    own = {DELETED_AT, *((VERSION,) if table.config.is_historized else ())}
    return [
        name
        for name in agreed
        if name not in outgoing.keys() | at_source | own and not name.startswith(RESERVED_PREFIXES)
    ]


def _objection(
    policy: SchemaPolicy, agreement: Agreement, changed: Sequence[TableChange]
) -> TerminalError | None:
    if policy is SchemaPolicy.APPLY:
        return None
    if policy is SchemaPolicy.REFUSE:
        return TerminalError(
            f"schema_changes: the pipeline refuses changes, and there are some: {_list(changed)}; "
            "nothing was written",
            hint="undo them at the source, leave them out in the configuration, or let the "
            "pipeline hold or apply changes",
        )
    approved = {one.table: one.changes for one in agreement.approved}
    waiting = [one for one in changed if approved.get(one.table) != one.changes]
    for change in waiting:
        if rejected := _rejection(agreement, change):
            note = f" ({rejected.note})" if rejected.note else ""
            return TerminalError(
                f"schema_changes: change {rejected.id} was rejected{note}: {words(change)}; "
                "nothing was written",
                hint="undo it at the source, or change the configuration of the pipeline",
            )
    if not waiting:
        return None
    return TerminalError(
        f"schema_changes: held for approval: {_list(waiting)}; nothing was written",
        hint="approve or reject it under Schema changes, then retry the run",
    )


def _rejection(agreement: Agreement, change: TableChange) -> Rejection | None:
    same = (change.table, change.changes)
    return next((one for one in agreement.rejected if (one.table, one.changes) == same), None)


def _list(changed: Sequence[TableChange]) -> str:
    told = "; ".join(words(one) for one in changed[:MOST_TOLD])
    more = len(changed) - MOST_TOLD
    return f"{told}; and {more} more tables" if more > 0 else told


def _told(change: ColumnChange) -> str:
    if change.kind == "table_added":
        return "it is new"
    if change.kind == "column_added":
        return f"column {change.column} is new ({change.new})"
    if change.kind == "column_removed":
        return f"column {change.column} is gone"
    return (
        f"column {change.column} is {change.new}, was {change.old}; in the table it stays "
        f"{change.table_type}, and a value that does not fit fails the load"
    )
