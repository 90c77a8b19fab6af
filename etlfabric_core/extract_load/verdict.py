"""Green means the data arrived: what was extracted, normalized and loaded is the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import TableLoad
from etlfabric_core.extract_load.resources import PlannedTable


@dataclass(frozen=True)
class Steps:
    """What dlt says of its steps. Without a new row there is nothing to normalize or load."""

    extract: Any
    normalize: Any = None
    load: Any = None

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
        return int(self.normalize.row_counts.get(table, 0)) if self.normalize else 0

    def new_columns(self, table: str) -> tuple[str, ...]:
        """Columns that the load added to a table; all of them when it made the table."""
        packages = self.load.load_packages if self.load else []
        updates = [package.schema_update.get(table, {}) for package in packages]
        names = {name for update in updates for name in update.get("columns", {})}
        return tuple(sorted(name for name in names if not name.startswith("_dlt")))


def table_loads(
    tables: Sequence[PlannedTable], steps: Steps, loaded: Mapping[str, int]
) -> tuple[TableLoad, ...]:
    """The evidence per table; `loaded` is what the server said that it copied.

    Raises:
        TerminalError: the counts of a table differ.
    """
    loads = tuple(_table_load(table, steps, loaded.get(table.name, 0)) for table in tables)
    require_arrival(loads)
    return loads


def _table_load(table: PlannedTable, steps: Steps, loaded: int) -> TableLoad:
    rows, size_bytes = steps.extracted(table.name)
    return TableLoad(
        table=table.name,
        write_disposition=table.disposition,
        extracted=rows,
        normalized=steps.normalized(table.name),
        loaded=loaded,
        size_bytes=size_bytes,
        new_columns=steps.new_columns(table.name),
    )


def require_arrival(loads: Sequence[TableLoad]) -> None:
    """A load in which rows were lost or doubled on the way is not green.

    Raises:
        TerminalError: the counts of a table differ.
    """
    for load in loads:
        if not load.extracted == load.normalized == load.loaded:
            raise TerminalError(
                f"table '{load.table}': {load.extracted} rows extracted, {load.normalized} "
                f"normalized, {load.loaded} loaded",
                hint="run again; when it stays, report it with the run's id",
            )
