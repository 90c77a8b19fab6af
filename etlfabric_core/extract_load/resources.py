"""dlt resources from a pipeline's configuration."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import LoadPlan, Window
from etlfabric_core.extract_load.source_table import (
    DLT_TYPES,
    TYPE_HINT,
    Selection,
    SourceColumn,
    SourceTable,
)
from etlfabric_core.extract_load.sources import Reader
from etlfabric_core.graph.configs import ResourceConfig, WriteDisposition
from etlfabric_core.slugs import slugify

if TYPE_CHECKING:
    import dlt
    import pyarrow

RESERVED_PREFIXES = ("_dlt", "_etlfabric")


@dataclass(frozen=True)
class PlannedTable:
    """One resource of this run: where its rows come from and how they are written."""

    config: ResourceConfig
    source: SourceTable
    name: str
    disposition: WriteDisposition
    cursor: SourceColumn | None
    window: Window | None

    @property
    def is_reloaded(self) -> bool:
        """Whether the window's older rows leave when the new ones are complete."""
        return self.window is not None and self.disposition is WriteDisposition.APPEND


def configured(plan: LoadPlan, reader: Reader) -> tuple[ResourceConfig, ...]:
    """The resources of the pipeline; in `full_database` mode one per table.

    There a table that no entry of `resources` speaks of is replaced as a whole.
    """
    config = plan.config
    if config.mode != "full_database":
        return config.resources
    known = {resource.source or resource.name: resource for resource in config.resources}
    names = config.table_names or tuple(reader.names())
    if not names:
        raise TerminalError("the source has no table", hint="check source_schema")
    return tuple(known.get(name) or _whole(name) for name in names)


def _whole(source: str) -> ResourceConfig:
    stem = source.removesuffix(".zip").removesuffix(".csv")
    return ResourceConfig(
        name=slugify(stem.rpartition(".")[2])[:63],
        source=source,
        write_disposition=WriteDisposition.REPLACE,
    )


def planned(plan: LoadPlan, reader: Reader) -> tuple[list[PlannedTable], list[str]]:
    """What this run loads, and the resources it leaves alone because a window bounds it.

    Raises:
        TerminalError: a table or column is missing, or two resources mean the same table.
    """
    tables: list[PlannedTable] = []
    skipped: list[str] = []
    for config in configured(plan, reader):
        source = reader.table(config)
        cursor = _cursor(config, source)
        if plan.window is not None and not (cursor and cursor.is_time):
            skipped.append(config.name)
            continue
        tables.append(_planned_table(plan, config, source, cursor))
    names = [table.name for table in tables]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise TerminalError(
            f"resources: several load table {', '.join(doubled)}", hint="rename one of them"
        )
    return tables, skipped


def _planned_table(
    plan: LoadPlan, config: ResourceConfig, source: SourceTable, cursor: SourceColumn | None
) -> PlannedTable:
    name = _table_name(config.name)
    disposition = config.write_disposition
    if disposition is WriteDisposition.REPLACE and plan.window is not None:
        disposition = WriteDisposition.APPEND  # only the window's rows are replaced
    if missing := set(config.primary_key) - {column.name for column in source.columns}:
        raise TerminalError(
            f"resource '{config.name}', primary_key: no column {', '.join(sorted(missing))}",
            hint=f"the columns are: {', '.join(column.name for column in source.columns)}",
        )
    return PlannedTable(config, source, name, disposition, cursor, plan.window)


def _table_name(name: str) -> str:
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    table = str(NamingConvention(63).normalize_table_identifier(name))
    if table.startswith(RESERVED_PREFIXES):
        raise TerminalError(f"resource '{name}': the name is reserved", hint="rename it")
    return table


def _cursor(config: ResourceConfig, source: SourceTable) -> SourceColumn | None:
    if config.cursor is None:
        return None
    column = source.column(config.cursor.column)
    if column is None:
        raise TerminalError(
            f"resource '{config.name}', cursor: no column '{config.cursor.column}'",
            hint=f"the columns are: {', '.join(entry.name for entry in source.columns)}",
        )
    if not column.can_be_cursor:
        raise TerminalError(
            f"resource '{config.name}', cursor: '{column.name}' cannot be a cursor",
            hint="choose a column of integers, dates or timestamps",
        )
    return column


def dlt_source(name: str, tables: Sequence[PlannedTable]) -> "dlt.sources.DltSource":
    """All tables of the run as one dlt source."""
    import dlt

    def resources() -> list[Any]:
        return [_resource(table) for table in tables]

    return dlt.source(resources, name=name, max_table_nesting=0)()


def _resource(table: PlannedTable) -> "dlt.sources.DltResource":
    import dlt

    cursor = _followed_cursor(table)
    return dlt.resource(
        _rows_since(table, cursor) if cursor else _rows(table),
        name=table.name,
        table_name=table.name,
        write_disposition=table.disposition.value,
        primary_key=list(table.config.primary_key) or None,
        columns=[_column_hint(column) for column in table.source.columns],
    )


def _followed_cursor(table: PlannedTable) -> SourceColumn | None:
    """A replaced table is always read as a whole: its older rows would be gone otherwise."""
    whole = table.disposition is WriteDisposition.REPLACE
    return None if whole or table.window is not None else table.cursor


def _rows(table: PlannedTable) -> "Iterator[pyarrow.Table]":
    cursor = table.cursor.name if table.cursor and table.window else None
    yield _no_rows(table)
    yield from table.source.read(Selection(cursor=cursor, window=table.window))


def _rows_since(table: PlannedTable, cursor: SourceColumn) -> Any:
    import dlt

    merged = table.disposition is WriteDisposition.MERGE
    incremental = dlt.sources.incremental(
        cursor.name,
        initial_value=_initial_value(table.config, cursor),
        # A merge may meet the newest row again; an append must not, so it remembers them.
        primary_key=() if merged else (table.config.primary_key or None),
        on_cursor_value_missing="raise",
    )

    def rows(since: Any = incremental) -> "Iterator[pyarrow.Table]":
        yield _no_rows(table)
        yield from table.source.read(Selection(cursor=cursor.name, at_least=since.last_value))

    return rows


def _no_rows(table: PlannedTable) -> "pyarrow.Table":
    """An empty batch: a table without rows exists all the same."""
    from etlfabric_core.extract_load.source_table import arrow_schema

    return arrow_schema(table.source.columns).empty_table()


def _initial_value(config: ResourceConfig, cursor: SourceColumn) -> Any:
    """A configured start in the type in which the cursor travels.

    Raises:
        TerminalError: it cannot be one.
    """
    value = config.cursor.initial_value if config.cursor else None
    if value is None:
        return None
    try:
        if cursor.arrow == "timestamp":
            moment = datetime.fromisoformat(str(value))
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if cursor.arrow == "date32":
            return date.fromisoformat(str(value))
        return {"int64": int, "double": float}.get(cursor.arrow, str)(value)
    except ValueError:
        raise TerminalError(
            f"resource '{config.name}', cursor.initial_value: not a value of this column",
            hint="write it like a value of the column",
        ) from None


def _column_hint(column: SourceColumn) -> dict[str, Any]:
    hint = {"name": column.name, "data_type": DLT_TYPES[column.arrow], "nullable": True}
    if column.destination_type:
        hint[TYPE_HINT] = column.destination_type
    return hint
