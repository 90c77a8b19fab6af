"""Tables that are all Parquet files of a folder."""

from collections.abc import Mapping
from dataclasses import dataclass

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.s3.files import Arrival, load_of, rows_of
from etlfabric_core.extract_load.destinations.s3.mirror import Mirror
from etlfabric_core.extract_load.planned_table import PlannedTable


@dataclass(frozen=True)
class PlainTables:
    """A file counts from when it is there until it is removed."""

    mirror: Mirror
    complete: set[str]

    def types(self, table: str) -> Mapping[str, str]:
        """Files bind no later file: a table is always as new."""
        return {}

    def require_fit(self, table: PlannedTable) -> None:
        """See `Tables`."""
        if next(self.mirror.names(f"{table.name}/_delta_log"), None) is not None:
            raise TerminalError(
                f"table '{table.name}' is a Delta table there, and plain files would be no part "
                "of it",
                hint="set table_format of the connection to delta, or load into a new dataset",
            )

    def take_out(self, table: str) -> int:
        """See `Tables`."""
        removed = 0
        for entry in list(self.mirror.entries(table)):
            name = self.mirror.name_of(entry, table)
            load = load_of(name, self.mirror.writer.pipeline)
            if load is not None and load not in self.complete:
                removed += rows_of(entry)
                self.mirror.remove(f"{table}/{name}")
        return removed

    def show(self, table: str, arrival: Arrival) -> None:
        """See `Tables`. Files that are replaced go one by one, after the new ones are there."""
        if not arrival.replaces:
            return
        new = {file.name for file in arrival.files}
        for name in list(self.mirror.names(table)):
            if name not in new:
                self.mirror.remove(f"{table}/{name}")

    def rows(self, table: str, beginning: str = "") -> int:
        """See `Tables`."""
        return sum(map(rows_of, self.mirror.entries(table, beginning)))
