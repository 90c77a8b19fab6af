"""A table at a source, as the loader sees it: columns, key, and a way to read its rows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etlfabric_core.extract_load.copy_files import CopyFile, CopyTarget
from etlfabric_core.extract_load.plan import Window
from etlfabric_core.graph.resources import RowFilter

if TYPE_CHECKING:
    import pyarrow

TYPE_HINT = "x-etlfabric-type"
INSERT_HINT = "x-etlfabric-insert"  # on a table: a key that is there already fails the load
NUMBERS_AND_TIMES = ("int64", "uint64", "double", "date32", "timestamp")
POSITION = "_etlfabric_position"


@dataclass(frozen=True)
class SourceColumn:
    """A column on its way.

    `arrow` is how its values travel: int64, uint64, double, bool, date32, timestamp or string.
    Whatever Arrow could change in passing travels as the text the source writes; then
    `destination_type` names the type that reads this text back at the destination.
    """

    name: str
    arrow: str
    destination_type: str | None = None
    is_time: bool = False

    @property
    def can_be_cursor(self) -> bool:
        """Whether its values, as they travel, sort the way the source sorts them."""
        return self.is_time or self.arrow in NUMBERS_AND_TIMES


DLT_TYPES = {
    "int64": "bigint",
    "uint64": "bigint",
    "double": "double",
    "bool": "bool",
    "date32": "date",
    "timestamp": "timestamp",
    "string": "text",
}


@dataclass(frozen=True)
class Selection:
    """Which rows to read: those from `at_least` on, or those in `window`, by `cursor`.

    With `is_exclusive` databases leave out the rows at `at_least` itself; others may give them.

    Of them only those that meet all `filters`, and no more than `limit`. With `positions`, batches
    of a table that has `places` have one more column, POSITION: the number of the row, from 1.
    `columns` are all that is needed; a source that cannot leave the others out gives them too.
    """

    cursor: str | None = None
    at_least: Any = None
    is_exclusive: bool = False
    window: Window | None = None
    filters: tuple[RowFilter, ...] = ()
    limit: int | None = None
    positions: bool = False
    columns: frozenset[str] | None = None

    def reads(self, column: str) -> bool:
        """Whether a column is needed."""
        return self.columns is None or column in self.columns

    def narrowed(self, columns: "tuple[SourceColumn, ...]") -> "tuple[SourceColumn, ...]":
        """Those of the columns that are needed."""
        return tuple(column for column in columns if self.reads(column.name))


@dataclass(frozen=True)
class SourceTable:
    """One table of a source and the function that reads a selection of it in batches.

    `lines` makes lines of a file from ascending positions of its rows. `copy` is there when its
    rows can be had as files for a PostgreSQL destination, whose types are the columns' own.
    `count` says how many rows a selection has. What is read and counted within `snapshot` is of
    one moment, where the source can do that. Columns that `are_seen` are those of the records that
    were looked at: one that is missing, or narrower, says nothing of the next ones.
    """

    name: str
    columns: tuple[SourceColumn, ...]
    read: Callable[[Selection], "Iterator[pyarrow.Table]"]
    primary_key: tuple[str, ...] = ()
    places: Callable[[Sequence[int]], list[tuple[str, int]]] | None = None
    copy: Callable[[Selection, CopyTarget], Iterator[CopyFile]] | None = None
    count: Callable[[Selection], int] | None = None
    snapshot: Callable[[], AbstractContextManager[Any]] = nullcontext
    are_seen: bool = False

    def column(self, name: str) -> SourceColumn | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


def arrow_type(column: SourceColumn) -> "pyarrow.DataType":
    """The Arrow type in which the values of a column travel."""
    import pyarrow as pa

    types = {
        "int64": pa.int64(),
        "uint64": pa.uint64(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        "date32": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "string": pa.string(),
    }
    return types[column.arrow]


def arrow_schema(columns: tuple[SourceColumn, ...]) -> "pyarrow.Schema":
    """The Arrow schema of the batches of a table."""
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_type(column)) for column in columns])
