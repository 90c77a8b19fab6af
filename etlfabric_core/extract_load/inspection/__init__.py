"""What an uploaded CSV file is, and what its columns hold: proposals, each with its evidence."""

import time
from dataclasses import dataclass

from etlfabric_core.connectors.csv import CsvDialect
from etlfabric_core.extract_load.inspection.columns import ColumnFound, Columns
from etlfabric_core.extract_load.inspection.dialect import Given, Reason, detect
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources.csv import file_table
from etlfabric_core.files.formats import File

BUDGET_S = 90  # within the time limit of the question


@dataclass(frozen=True)
class Inspection:
    """How the file is written, and its columns, after `rows` rows; `complete`: it has no others."""

    dialect: CsvDialect
    reasons: tuple[Reason, ...]
    rows: int
    complete: bool
    columns: tuple[ColumnFound, ...]


def inspect(file: File, name: str, given: Given, *, budget_s: float = BUDGET_S) -> Inspection:
    """Reads the whole file once, or as much of it as there is time for.

    What is `given` of the dialect is taken as it is.

    Raises:
        TerminalError: it is empty or broken, or not what is given; names the line where there is
            one.
    """
    until = time.monotonic() + budget_s
    dialect, reasons = detect(file, name, given)
    table = file_table(file, name, dialect, {})
    columns = Columns([column.name for column in table.columns])
    rows, complete = 0, True
    for batch in table.read(Selection(positions=True)):
        if time.monotonic() > until:
            complete = False
            break
        columns.add(batch)
        rows += batch.num_rows
    return Inspection(dialect, reasons, rows, complete, columns.found(table))
