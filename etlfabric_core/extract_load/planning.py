"""From a pipeline's configuration to the tables of one run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load import contract
from etlfabric_core.extract_load.evidence import RowCount, key_set
from etlfabric_core.extract_load.plan import LoadPlan
from etlfabric_core.extract_load.planned_table import PlannedTable, table_name
from etlfabric_core.extract_load.replay.outcomes import Outcomes
from etlfabric_core.extract_load.replay.rows import Replay, replayable
from etlfabric_core.extract_load.replay.superseded import Superseded
from etlfabric_core.extract_load.shape import is_identity
from etlfabric_core.extract_load.shape.compile import compile_shape
from etlfabric_core.extract_load.shape.outputs import outputs_of
from etlfabric_core.extract_load.shape.rejected import Quarantine
from etlfabric_core.extract_load.source_table import SourceColumn, SourceTable
from etlfabric_core.extract_load.sources import Reader
from etlfabric_core.extract_load.typed import Holds, arriving_column
from etlfabric_core.files.formats import stem
from etlfabric_core.graph.resources import ResourceConfig, WriteDisposition
from etlfabric_core.slugs import slugify

if TYPE_CHECKING:
    from etlfabric_core.extract_load.destinations.postgres.fencing import WriterSession


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
        keys = key_set(config, source, path, place.types_of(name), key, place.holds)
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
