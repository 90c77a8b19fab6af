"""Green means the data arrived: what was extracted, normalized and loaded is the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.counts import Counted
from etlfabric_core.extract_load.destinations.writer import Gone
from etlfabric_core.extract_load.plan import TableLoad
from etlfabric_core.extract_load.planned_table import PlannedTable


@dataclass(frozen=True)
class Steps:
    """What dlt says of its steps. Without a new row there is nothing to normalize or load.

    `passed_on` are rows in files that dlt does not look into.
    """

    extract: Any
    normalize: Any = None
    load: Any = None
    passed_on: Mapping[str, int] = field(default_factory=dict)

    def extracted(self, table: str) -> tuple[int, int]:
        """Rows and bytes of a table."""
        found = [
            entry["table_metrics"][table]
            for per_load in self.extract.metrics.values()
            for entry in per_load
            if table in entry["table_metrics"]
        ]
        return sum(one.items_count for one in found), sum(one.file_size for one in found)

    def normalized(self, table: str) -> int:
        """Rows of a table."""
        counted = int(self.normalize.row_counts.get(table, 0)) if self.normalize else 0
        return counted + self.passed_on.get(table, 0)

    def new_columns(self, table: str) -> tuple[str, ...]:
        """Columns that the load added to a table; all of them when it made the table."""
        packages = self.load.load_packages if self.load else []
        updates = [package.schema_update.get(table, {}) for package in packages]
        names = {name for update in updates for name in update.get("columns", {})}
        return tuple(sorted(name for name in names if not name.startswith("_dlt")))


def require_enough(tables: Sequence[PlannedTable], steps: Steps) -> None:
    """Before anything is written: a source that gives too little is taken for a broken one.

    Raises:
        TerminalError: fewer rows were extracted than `minimum_rows`.
    """
    for table in tables:
        rows, least = _extracted(table, steps), table.config.minimum_rows
        if rows < least:
            raise TerminalError(
                f"table '{table.name}': {rows} rows were extracted, minimum_rows is {least}; "
                "nothing was written",
                hint="look whether the source is complete, or lower minimum_rows",
            )


def table_loads(
    tables: Sequence[PlannedTable], steps: Steps, loaded: Mapping[str, int]
) -> tuple[TableLoad, ...]:
    """The evidence per table; `loaded` is what the server said that it copied.

    Raises:
        TerminalError: the counts of a table differ.
    """
    loads = tuple(_table_load(table, steps, loaded) for table in tables)
    require_arrival(loads)
    return loads


def compared(
    loads: Sequence[TableLoad], gone: Mapping[str, Gone], counts: Mapping[str, Counted]
) -> tuple[TableLoad, ...]:
    """The evidence, with what was found by comparing source and target."""
    made = []
    for load in loads:
        rows, counted = gone.get(load.table, Gone()), counts.get(load.table)
        changes = {"deleted": rows.deleted, "restored": rows.restored}
        if counted:
            changes |= {"source_rows": counted.source, "target_rows": counted.target}
        made.append(load.model_copy(update=changes))
    return tuple(made)


def _extracted(table: PlannedTable, steps: Steps) -> int:
    rows, _ = steps.extracted(table.name)
    return rows + (table.quarantine.count if table.quarantine else 0)


def _table_load(table: PlannedTable, steps: Steps, loaded: Mapping[str, int]) -> TableLoad:
    return TableLoad(
        table=table.name,
        write_disposition=table.disposition,
        extracted=_extracted(table, steps),
        normalized=steps.normalized(table.name),
        loaded=loaded.get(table.name, 0),
        rejected=loaded.get(table.rejected_name, 0),
        size_bytes=steps.extracted(table.name)[1],
        new_columns=steps.new_columns(table.name),
    )


def require_arrival(loads: Sequence[TableLoad]) -> None:
    """A load in which rows were lost or doubled on the way is not green.

    Raises:
        TerminalError: the counts of a table differ.
    """
    for load in loads:
        arrived = load.loaded + load.rejected
        if not (load.extracted == arrived and load.normalized == load.loaded):
            raise TerminalError(
                f"table '{load.table}': {load.extracted} rows extracted, {load.normalized} "
                f"normalized, {load.loaded} loaded, {load.rejected} rejected",
                hint="run again; when it stays, report it with the run's id",
            )
