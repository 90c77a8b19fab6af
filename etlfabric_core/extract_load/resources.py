"""dlt resources from a pipeline's configuration."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load import contract, fast_path
from etlfabric_core.extract_load.evidence import KeySet, RowCount, key_set
from etlfabric_core.extract_load.plan import LoadPlan, Window
from etlfabric_core.extract_load.replay.outcomes import Outcomes
from etlfabric_core.extract_load.replay.rows import Replay, replayable
from etlfabric_core.extract_load.replay.superseded import Superseded
from etlfabric_core.extract_load.shape import is_identity
from etlfabric_core.extract_load.shape.compile import compile_shape
from etlfabric_core.extract_load.shape.outputs import outputs_of
from etlfabric_core.extract_load.shape.rejected import COLUMNS, SUFFIX, Quarantine
from etlfabric_core.extract_load.shape.rows import Shape
from etlfabric_core.extract_load.shape.versions import VERSION, VERSION_COLUMN, versioned
from etlfabric_core.extract_load.source_table import (
    DLT_TYPES,
    INSERT_HINT,
    TYPE_HINT,
    Selection,
    SourceColumn,
    SourceTable,
    arrow_schema,
)
from etlfabric_core.extract_load.sources import Reader
from etlfabric_core.extract_load.typed import Holds, Typing, arriving_column, typed
from etlfabric_core.files.formats import stem
from etlfabric_core.graph.configs import MergeStrategy, ResourceConfig, WriteDisposition
from etlfabric_core.slugs import slugify

if TYPE_CHECKING:
    import dlt
    import pyarrow

    from etlfabric_core.extract_load.destinations.postgres.fencing import WriterSession

RESERVED_PREFIXES = ("_dlt", "_etlfabric")


@dataclass(frozen=True)
class PlannedTable:
    """One resource of this run: where its rows come from and how they are written.

    `cursor` is the column as it is loaded. Without a `shape` rows pass as they are; with a
    `copy_folder` they pass as files that are written there: as the source sends them in binary if
    `is_binary`, or else as text. With `holds` they leave in the types of the destination. `keys`
    and `count` are there to be filled by the extraction. With a `replay` its rows are those of the
    quarantine.
    """

    config: ResourceConfig
    source: SourceTable
    name: str
    disposition: WriteDisposition
    cursor: SourceColumn | None
    window: Window | None
    shape: Shape | None = None
    copy_folder: Path | None = None
    is_binary: bool = False
    keys: KeySet | None = None
    count: RowCount | None = None
    replay: Replay | None = None
    holds: Holds | None = None

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """What is loaded."""
        columns = self.shape.columns if self.shape else self.source.columns
        return (*columns, VERSION_COLUMN) if self.config.is_historized else columns

    @property
    def rejected_name(self) -> str:
        """The table of the rows that are not."""
        return self.name + SUFFIX

    @property
    def quarantine(self) -> Quarantine | None:
        """Where rows that are not loaded are kept; None: they fail the load."""
        return self.shape.quarantine if self.shape else None

    @property
    def is_unchanged(self) -> bool:
        """Whether its rows are loaded as they are."""
        return is_identity(self.config)

    @property
    def is_watched(self) -> bool:
        """Whether dlt has to look at its rows: for the newest cursor, or for other versions."""
        return self.config.is_historized or followed_cursor(self) is not None

    @property
    def only_adds(self) -> bool:
        """Whether no row that was there before leaves: what it wrote can be taken out again."""
        return self.disposition in (WriteDisposition.APPEND, WriteDisposition.INSERT)

    @property
    def is_reloaded(self) -> bool:
        """Whether the window's older rows leave when the new ones are complete."""
        return self.window is not None and self.disposition is WriteDisposition.APPEND


@dataclass(frozen=True)
class Place:
    """What is there: the types of a table's columns, and a folder for rejected rows and keys.

    `is_compared` says whether the keys of a resource's table are to be compared now. `session` is
    where rejected rows are; `holds` is what the columns can be, None: whatever PostgreSQL has.
    """

    session: "Callable[[], WriterSession]"
    types_of: Callable[[str], Mapping[str, str]]
    spool_dir: Path
    is_compared: Callable[[ResourceConfig, str], bool]
    holds: Holds | None = None

    def arriving(self, column: SourceColumn) -> SourceColumn:
        """The column as the destination will have it."""
        return arriving_column(column, self.holds)


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
    return ResourceConfig(
        name=slugify(stem(source).rpartition(".")[2])[:63],
        source=source,
        write_disposition=WriteDisposition.REPLACE,
    )


def planned(plan: LoadPlan, reader: Reader, place: Place) -> tuple[list[PlannedTable], list[str]]:
    """What this run loads, and the resources it leaves alone.

    That is because a window bounds it, or because of their contract.

    Raises:
        TerminalError: a table or column is missing, a column's configuration does not fit it, or
            two resources mean the same table.
    """
    tables: list[PlannedTable] = []
    skipped: list[str] = []
    configs = configured(plan, reader)
    for config in _replayed(plan.replay, configs) if plan.replay else configs:
        table = _planned_table(plan, config, reader.table(config), place)
        if table is None or (plan.window and not (table.cursor and table.cursor.is_time)):
            skipped.append(config.name)
            continue
        tables.append(table)
    _require_own_tables(tables)
    return tables, skipped


def _replayed(
    tables: Sequence[str], configs: Sequence[ResourceConfig]
) -> tuple[ResourceConfig, ...]:
    by_table = {table_name(config.name): config for config in configs}
    if unknown := sorted(set(tables) - by_table.keys()):
        raise TerminalError(
            f"no resource of the pipeline loads table {', '.join(unknown)}",
            hint="publish the pipeline with it, then replay its rejected rows",
        )
    return tuple(replayable(by_table[table]) for table in tables)


def _require_own_tables(tables: Sequence[PlannedTable]) -> None:
    names = [table.name for table in tables]
    names += [table.rejected_name for table in tables if table.quarantine]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise TerminalError(
            f"resources: several load table {', '.join(doubled)}", hint="rename one of them"
        )


def _planned_table(
    plan: LoadPlan, config: ResourceConfig, source: SourceTable, place: Place
) -> PlannedTable | None:
    """None: its contract allows no new table."""
    name = table_name(config.name)
    disposition = config.write_disposition
    if disposition is WriteDisposition.REPLACE and (plan.window or plan.replay):
        disposition = WriteDisposition.APPEND  # only the window's rows are replaced, or none
    shape, asked = None, None
    key = bytes.fromhex(plan.mask_key)
    outgoing = [output.column for output in outputs_of(config, source)]
    if not is_identity(config) or config.is_keyed:
        arriving = [place.arriving(column) for column in outgoing]
        asked = contract.terms(config, arriving, place.types_of(name))
        if asked is None:
            return None
        quarantine = _quarantine(plan, config, place.spool_dir / name)
        shape = compile_shape(config, source, key=key, quarantine=quarantine, terms=asked)
    columns = shape.columns if shape else source.columns
    cursor = _cursor(config, source, columns)
    keys = None
    if place.is_compared(config, name):
        path = place.spool_dir / f"{name}.keys"
        keys = key_set(config, source, path, place.types_of(name), key)
    table = PlannedTable(config, source, name, disposition, cursor, plan.window, shape, keys=keys)
    if asked is not None and isinstance(table.quarantine, Outcomes):
        there = Superseded.of(place.session(), config, name, cursor.name if cursor else None)
        size = plan.config.batch_size
        kept = Replay(config, source, table.quarantine, there, asked, key, size)
        return replace(table, replay=kept)
    return replace(table, count=_count(table), holds=place.holds)


def _quarantine(plan: LoadPlan, config: ResourceConfig, path: Path) -> Quarantine | None:
    if plan.replay:
        return Outcomes(path.with_suffix(".outcomes"), path.name, limit=0)
    if config.has_quarantine:
        return Quarantine(path.with_suffix(".arrow"), path.name, config.max_rejected)
    return None


def _count(table: PlannedTable) -> RowCount | None:
    """Where deletes are looked for now and then, the numbers are the same only then."""
    config = table.config
    between = config.deletes != "none" and table.keys is None
    if not config.verify_count or table.window is not None or between:
        return None
    if table.source.count is None:
        raise TerminalError(
            f"resource '{config.name}', verify_count: this source cannot count its rows",
            hint="leave it out, or set minimum_rows",
        )
    return RowCount()


def table_name(name: str) -> str:
    """The table that a resource of that name becomes.

    Raises:
        TerminalError: the name is kept for dlt and the service.
    """
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    table = str(NamingConvention(63).normalize_table_identifier(name))
    if table.startswith(RESERVED_PREFIXES):
        raise TerminalError(f"resource '{name}': the name is reserved", hint="rename it")
    return table


def _cursor(
    config: ResourceConfig, source: SourceTable, columns: Sequence[SourceColumn]
) -> SourceColumn | None:
    """The cursor as it is loaded."""
    if config.cursor is None:
        return None
    given = source.column(config.cursor.column)
    if given is None:
        raise TerminalError(
            f"resource '{config.name}', cursor: no column '{config.cursor.column}'",
            hint=f"the columns are: {', '.join(entry.name for entry in source.columns)}",
        )
    configured = config.columns.get(given.name)
    name = (configured and configured.name) or given.name
    column = next(column for column in columns if column.name == name)
    if not column.can_be_cursor:
        raise TerminalError(
            f"resource '{config.name}', cursor: '{given.name}' cannot be a cursor",
            hint="choose a column of integers, dates or timestamps, or give it such a type",
        )
    return column


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

    cursor = followed_cursor(table)
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


def followed_cursor(table: PlannedTable) -> SourceColumn | None:
    """The cursor that bounds a live load.

    A replaced table is always read as a whole: its older rows would be gone otherwise.
    """
    whole = table.disposition is WriteDisposition.REPLACE
    return None if whole or table.window is not None or table.replay else table.cursor


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
        yield arrow_schema(table.columns).empty_table()
        source = table.config.cursor.column if table.config.cursor else None
        selection = Selection(cursor=source, at_least=since.last_value)
        yield from _with_evidence(table, _shaped(table, selection))

    return rows


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
