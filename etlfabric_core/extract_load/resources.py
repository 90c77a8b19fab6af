"""dlt's resources of the tables of a run."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load import fast_path
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.extract_load.shape.rejected import COLUMNS
from etlfabric_core.extract_load.shape.versions import VERSION, versioned
from etlfabric_core.extract_load.source_table import (
    DLT_TYPES,
    INSERT_HINT,
    TYPE_HINT,
    Selection,
    SourceColumn,
    arrow_schema,
)
from etlfabric_core.extract_load.typed import Holds, Typing, typed
from etlfabric_core.graph.resources import Boundary, MergeStrategy, WriteDisposition

if TYPE_CHECKING:
    import dlt
    import pyarrow


def dlt_source(name: str, tables: Sequence[PlannedTable]) -> "dlt.sources.DltSource":
    """All tables of the run as one dlt source."""
    import dlt

    def resources() -> list[Any]:
        made = [_resource(table) for table in tables]
        # One after the other: what is rejected is known when all rows of the table are through.
        # Of a replay they are there already.
        kept = [table for table in tables if table.quarantine and not table.replay]
        return made + [_rejected(table) for table in kept]

    return dlt.source(resources, name=name, max_table_nesting=0)()


def _resource(table: PlannedTable) -> "dlt.sources.DltResource":
    import dlt

    cursor = table.followed_cursor
    made = dlt.resource(
        _rows_since(table, cursor) if cursor else _rows(table),
        name=table.name,
        table_name=table.name,
        write_disposition=_disposition(table),
        primary_key=list(table.config.primary_key) or None,
        columns=_column_hints(table.columns, table.holds),
    )
    if table.holds:
        made.add_step(_leaving(table.name, table.columns, table.holds))
    inserts = table.disposition is WriteDisposition.INSERT
    made.apply_hints(additional_table_hints={INSERT_HINT: inserts})  # the schema remembers it
    return made


def _disposition(table: PlannedTable) -> Any:
    """An insert is staged like a merge, so that nothing is written before its keys are checked."""
    if table.disposition is WriteDisposition.INSERT:
        return {"disposition": "merge", "strategy": MergeStrategy.INSERT_ONLY.value}
    if table.config.is_historized:
        return {"disposition": "merge", "strategy": "scd2", "row_version_column_name": VERSION}
    if table.disposition is WriteDisposition.MERGE:
        return {"disposition": "merge", "strategy": table.config.merge_strategy.value}
    return table.disposition.value


def _rejected(table: PlannedTable) -> "dlt.sources.DltResource":
    """Rejected rows. One that is met again takes its own place; of a whole table all are new."""
    import dlt

    assert table.quarantine is not None  # noqa: S101 (called for tables that have one)
    replaced = table.disposition is WriteDisposition.REPLACE
    made = dlt.resource(
        table.quarantine.batches(),
        name=table.rejected_name,
        table_name=table.rejected_name,
        write_disposition="replace" if replaced else "merge",
        primary_key="id",
        columns=_column_hints(COLUMNS, table.holds),
    )
    if table.holds:
        made.add_step(_leaving(table.rejected_name, COLUMNS, table.holds))
    return made


def _leaving(name: str, columns: Sequence[SourceColumn], holds: Holds) -> Any:
    from etlfabric_core.extract_load.typing_step import TypingStep

    return TypingStep(Typing.of(name, columns, holds))


def _rows(table: PlannedTable) -> Iterator[Any]:
    yield arrow_schema(table.columns).empty_table()  # a table without rows exists all the same
    yield from _with_evidence(table, _read_rows(table))


def _with_evidence(table: PlannedTable, rows: Iterator[Any]) -> Iterator[Any]:
    """The rows; in the same snapshot of the source, their number and all keys are read.

    Keys come last: of a source without snapshots none is missing that was read as a row.
    """
    if table.count is None and table.keys is None:
        yield from rows
        return
    with table.source.snapshot():
        if table.count is not None and table.source.count is not None:
            table.count.rows = table.source.count(Selection(filters=table.config.filters))
        yield from rows
        if table.keys is not None:
            table.keys.read(table.source)


def _read_rows(table: PlannedTable) -> Iterator[Any]:
    cursor = table.config.cursor.column if table.config.cursor and table.window else None
    selection = Selection(cursor=cursor, window=table.window, filters=table.config.filters)
    shaped = table.replay.batches() if table.replay else _shaped(table, selection)
    if table.copy_folder is None:
        yield from shaped
        return
    target = fast_path.target(table.columns, table.copy_folder)
    if table.is_binary and table.source.copy is not None:
        files = table.source.copy(selection, target)
    else:
        files = fast_path.text_files(shaped, target)
    yield from fast_path.imported(files)


def _rows_since(table: PlannedTable, cursor: SourceColumn) -> Any:
    from etlfabric_core.extract_load import cursors

    incremental = cursors.following(table.config, cursor)

    def rows(since: Any = incremental) -> "Iterator[pyarrow.Table]":
        if table.is_absent and since.last_value != since.initial_value:
            raise _gone(table)
        yield arrow_schema(table.columns).empty_table()
        followed = table.config.cursor
        selection = Selection(
            cursor=followed.column if followed else None,
            at_least=since.last_value,
            is_exclusive=followed is not None and followed.boundary is Boundary.EXCLUSIVE,
        )
        yield from _with_evidence(table, cursors.sorting(_shaped(table, selection), cursor))

    return rows


def _gone(table: PlannedTable) -> TerminalError:
    return TerminalError(
        f"table '{table.name}' is not there any more, and its cursor stands behind rows that it "
        "had: a new one would lack them; nothing was written",
        hint="reset the cursor of the resource, or load into a new dataset: then all rows are read",
    )


def _shaped(table: PlannedTable, selection: Selection) -> "Iterator[pyarrow.Table]":
    selection = replace(selection, filters=table.config.filters, positions=table.shape is not None)
    batches = table.source.read(selection)
    if table.keys is not None and selection.cursor is None:
        batches = table.keys.passing(batches)
    shaped = table.shape.batches(batches) if table.shape else batches
    return versioned(shaped) if table.config.is_historized else shaped


def _column_hints(columns: Sequence[SourceColumn], holds: Holds | None) -> list[dict[str, Any]]:
    if holds is None:
        return [_column_hint(column) for column in columns]
    return [{"name": column.name, **typed(column, holds).hint} for column in columns]


def _column_hint(column: SourceColumn) -> dict[str, Any]:
    hint = {"name": column.name, "data_type": DLT_TYPES[column.arrow], "nullable": True}
    if column.destination_type:
        hint[TYPE_HINT] = column.destination_type
    return hint
