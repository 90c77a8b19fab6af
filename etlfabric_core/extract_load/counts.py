"""As many rows at the target as at the source: counted on both sides, where a resource asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.contract import present
from etlfabric_core.extract_load.fencing import WriterSession, qualified
from etlfabric_core.extract_load.resources import PlannedTable
from etlfabric_core.graph.configs import DELETED_AT


@dataclass(frozen=True)
class Counted:
    """Rows of one table: those at the source that meet the filters, and those at the target."""

    source: int
    target: int


def compare(session: WriterSession, tables: Sequence[PlannedTable]) -> Mapping[str, Counted]:
    """The counts of the tables that ask for it.

    Raises:
        TerminalError: they differ by more than the rows that were rejected.
    """
    return {
        table.name: _compared(session, table, table.count.rows)
        for table in tables
        if table.count is not None and table.count.rows is not None
    }


def _compared(session: WriterSession, table: PlannedTable, source: int) -> Counted:
    rejected = table.quarantine.count if table.quarantine else 0
    counted = Counted(source, _target_rows(session, table))
    if counted.source - rejected != counted.target:
        raise TerminalError(
            f"table '{table.name}': the source has {counted.source} rows, {rejected} were "
            f"rejected, and the table has {counted.target}; all that was read is loaded",
            hint="rows that were deleted at the source stay in a merge: see `deletes`; "
            "otherwise look who else writes to the table",
        )
    return counted


def _target_rows(session: WriterSession, table: PlannedTable) -> int:
    """Without rows that are marked as deleted, and former versions."""
    there = present(session, table.name)
    if not there:
        return 0
    marks = [DELETED_AT] if table.config.deletes == "soft" else []
    marks += ["_dlt_valid_to"] if table.config.is_historized else []
    conditions = " and ".join(["true", *(f'"{mark}" is null' for mark in marks if mark in there)])
    name = qualified(session.writer, table.name)
    found = session.connection.execute(f"select count(*) from {name} where {conditions}")  # noqa: S608
    return int((found.fetchone() or (0,))[0])
