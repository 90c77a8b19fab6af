"""A table at a source, as the loader sees it: columns, key, and a way to read its rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etlfabric_core.extract_load.plan import Window

if TYPE_CHECKING:
    import pyarrow

TYPE_HINT = "x-etlfabric-type"


@dataclass(frozen=True)
class SourceColumn:
    """A column on its way.

    `arrow` is how its values travel: int64, double, bool, date32, timestamp or string.
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
        return self.is_time or self.arrow in ("int64", "double", "date32", "timestamp")


DLT_TYPES = {
    "int64": "bigint",
    "double": "double",
    "bool": "bool",
    "date32": "date",
    "timestamp": "timestamp",
    "string": "text",
}


@dataclass(frozen=True)
class Selection:
    """Which rows to read: those from `at_least` on, or those in `window`, by `cursor`."""

    cursor: str | None = None
    at_least: Any = None
    window: Window | None = None


@dataclass(frozen=True)
class SourceTable:
    """One table of a source and the function that reads a selection of it in batches."""

    name: str
    columns: tuple[SourceColumn, ...]
    read: Callable[[Selection], "Iterator[pyarrow.Table]"]
    primary_key: tuple[str, ...] = ()

    def column(self, name: str) -> SourceColumn | None:
        """The column of that name."""
        return next((column for column in self.columns if column.name == name), None)


def arrow_type(column: SourceColumn) -> "pyarrow.DataType":
    """The Arrow type in which the values of a column travel."""
    import pyarrow as pa

    types = {
        "int64": pa.int64(),
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
