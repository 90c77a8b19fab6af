"""Files that loads write, by their names, and the protocol of what makes them a table."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.files.objects import StoredObject

LAYOUT = "{table_name}/{schema_name}.{load_id}.{file_id}.{ext}"  # dlt's schema is the pipeline
KEPT = ".kept.parquet"  # rows that took the place of others, which would be missing
NAME = re.compile(r"([\w-]+)\.(\d+\.\d+)\.[\w-]+(\.kept)?\.parquet", re.ASCII)


@dataclass(frozen=True)
class Arrival:
    """Files of a load for one table, which are in the bucket.

    They are added, or they replace all that is there, or what has the same `keys`.
    """

    files: Sequence[Path]
    replaces: bool = False
    keys: Sequence[str] = ()


class Tables(Protocol):
    """What is a table in a format."""

    @property
    def complete(self) -> set[str]:
        """The pipeline's loads that count; whoever completes one adds it."""

    def types(self, table: str) -> Mapping[str, str]:
        """Columns of a table and their types, in PostgreSQL's words; none bind what comes."""

    def require_fit(self, table: PlannedTable) -> None:
        """Checks that the table that is there can take what comes, before a row is read.

        Raises:
            TerminalError: it is of another format, or a column has no room.
        """

    def take_out(self, table: str) -> int:
        """Takes out what unfinished loads appended; returns how many rows it were."""

    def show(self, table: str, arrival: Arrival) -> None:
        """Makes files part of their table.

        Raises:
            FencedError: another try has taken over.
            TerminalError, TransientError: the bucket cannot be written.
        """

    def rows(self, table: str, beginning: str = "") -> int:
        """Rows of a table as a reader finds it, in files whose names begin so."""


def load_of(name: str, pipeline: str) -> str | None:
    """The load of the pipeline that wrote a file; None: somebody else did."""
    match = NAME.fullmatch(name)
    return match[2] if match and match[1] == pipeline else None


def rows_of(stored: StoredObject) -> int:
    """The rows of a Parquet file, as its last bytes say.

    Raises:
        TerminalError: it is none.
    """
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import read_metadata

    try:
        with stored.open("rb") as file:
            return int(read_metadata(file).num_rows)
    except ArrowInvalid:
        raise TerminalError(
            f"file '{stored.key}' is no Parquet file",
            hint="remove what is not a load's from the folder of the table",
        ) from None
