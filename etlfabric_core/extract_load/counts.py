"""As many rows at the target as at the source: counted on both sides, where a resource asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations import Destination
from etlfabric_core.extract_load.planned_table import PlannedTable


@dataclass(frozen=True)
class Counted:
    """Rows of one table: those at the source that meet the filters, and those at the target."""

    source: int
    target: int


def compare(destination: Destination, tables: Sequence[PlannedTable]) -> Mapping[str, Counted]:
    """The counts of the tables that ask for it.

    Raises:
        TerminalError: they differ by more than the rows that were rejected.
    """
    return {
        table.name: _compared(destination, table, table.count.rows)
        for table in tables
        if table.count is not None and table.count.rows is not None
    }


def _compared(destination: Destination, table: PlannedTable, source: int) -> Counted:
    rejected = table.quarantine.count if table.quarantine else 0
    counted = Counted(source, destination.target_rows(table))
    if counted.source - rejected != counted.target:
        raise TerminalError(
            f"table '{table.name}': the source has {counted.source} rows, {rejected} were "
            f"rejected, and the table has {counted.target}; all that was read is loaded",
            hint="rows that were deleted at the source stay in a merge: see `deletes`; "
            "otherwise look who else writes to the table",
        )
    return counted
