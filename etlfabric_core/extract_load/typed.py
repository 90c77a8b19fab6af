"""Values in types of their own, for destinations that do not read PostgreSQL's text.

What travels as text becomes a decimal, a time or bytes where the destination has such a type and
holds every value as it is. A cast that would round, cut or shift a value fails the load.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import DLT_TYPES, SourceColumn, arrow_type

if TYPE_CHECKING:
    import pyarrow

TYPE = re.compile(r"([a-z ]+?) *(?:\((\d+)(?:,(-?\d+))?\))?( with(?:out)? time zone)?")
WIDEST_SMALL_DECIMAL = 38  # digits of Arrow's decimal of 128 bits


@dataclass(frozen=True)
class Holds:
    """What the columns of a destination hold as it is; what they do not goes there as text.

    `digits` are those of its widest decimal, `scale` those behind the point at most. Without
    `booleans` they are integers there, without `zones` every time is one of UTC, and without
    `local_times` none is without a zone. `infinity` and `nul` are values that its doubles and
    texts hold; `years` are those of its times, None: all.
    """

    digits: int
    scale: int | None = None
    local_times: bool = True
    booleans: bool = True
    zones: bool = True
    infinity: bool = True
    nul: bool = True
    years: tuple[int, int] | None = None


@dataclass(frozen=True)
class TypedColumn:
    """A column as the destination has it: `word` is its type in PostgreSQL's words."""

    name: str
    word: str
    arrow: "pyarrow.DataType"
    hint: Mapping[str, Any]


Typed = tuple[str, "pyarrow.DataType", dict[str, Any]]


def typed(column: SourceColumn, holds: Holds) -> TypedColumn:
    """The column in the nearest type that holds all of its values."""
    import pyarrow as pa

    found = _typed(column, holds)
    if found is None:
        found = ("text", pa.string(), {"data_type": "text"})
    word, arrow, hint = found
    return TypedColumn(column.name, _held_word(word, holds), arrow, {**hint, "nullable": True})


def arriving_column(column: SourceColumn, holds: Holds | None) -> SourceColumn:
    """The column as the destination will have it; without `holds` it takes whatever comes."""
    if holds is None:
        return column
    return replace(column, destination_type=typed(column, holds).word)


def _typed(column: SourceColumn, holds: Holds) -> "Typed | None":
    import pyarrow as pa

    if column.arrow == "uint64":
        return _decimal(20, 0, holds)
    if column.arrow != "string":
        return (WORDS[column.arrow], arrow_type(column), {"data_type": DLT_TYPES[column.arrow]})
    match = TYPE.fullmatch(column.destination_type or "text")
    if match is None:
        return None
    name, precision, scale, zone = match.groups()
    if name in ("numeric", "decimal") and precision:
        return _decimal(int(precision), int(scale or 0), holds)
    types: dict[str, Callable[[], Typed]] = {
        "timestamp": lambda: ("timestamp", pa.timestamp("us"), TIMES),
        "timestamp with time zone": lambda: (ZONED, pa.timestamp("us", "UTC"), ZONED_TIMES),
        "timestamp without time zone": lambda: ("timestamp", pa.timestamp("us"), TIMES),
        "timestamptz": lambda: (ZONED, pa.timestamp("us", "UTC"), ZONED_TIMES),
        "date": lambda: ("date", pa.date32(), {"data_type": "date"}),
        "bytea": lambda: ("bytea", pa.binary(), {"data_type": "binary"}),
        "boolean": lambda: ("boolean", pa.bool_(), {"data_type": "bool"}),
        **dict.fromkeys(INTEGERS, lambda: ("bigint", pa.int64(), {"data_type": "bigint"})),
        **dict.fromkeys(DOUBLES, lambda: ("double precision", pa.float64(), DOUBLE)),
    }
    made = types.get(name + (zone or ""))
    found = made() if made else None
    return None if found and found[0] == "timestamp" and not holds.local_times else found


ZONED = "timestamp with time zone"
TIMES = {"data_type": "timestamp", "timezone": False, "precision": 6}
ZONED_TIMES = {"data_type": "timestamp", "timezone": True, "precision": 6}
DOUBLE = {"data_type": "double"}
INTEGERS = ("smallint", "integer", "bigint")
DOUBLES = ("real", "double precision")
WORDS = {
    "int64": "bigint",
    "double": "double precision",
    "bool": "boolean",
    "date32": "date",
    "timestamp": ZONED,
}


def _decimal(precision: int, scale: int, holds: Holds) -> "Typed | None":
    import pyarrow as pa

    most = holds.digits if holds.scale is None else holds.scale
    if not 0 <= scale <= precision <= holds.digits or scale > most:
        return None
    made = pa.decimal128 if precision <= WIDEST_SMALL_DECIMAL else pa.decimal256
    hint = {"data_type": "decimal", "precision": precision, "scale": scale}
    return (f"numeric({precision},{scale})", made(precision, scale), hint)


def _held_word(word: str, holds: Holds) -> str:
    if word == "boolean" and not holds.booleans:
        return "bigint"
    return "timestamp" if word == ZONED and not holds.zones else word


@dataclass(frozen=True)
class Typing:
    """Makes the batches of one table into what the destination holds."""

    table: str
    columns: tuple[TypedColumn, ...]
    holds: Holds

    @classmethod
    def of(cls, table: str, columns: Sequence[SourceColumn], holds: Holds) -> "Typing":
        """The typing of a table with these columns."""
        return cls(table, tuple(typed(column, holds) for column in columns), holds)

    def __call__(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """The batch in the types of the destination.

        Raises:
            TerminalError: a value would not be the same there.
        """
        import pyarrow as pa

        made = [self._column(batch.column(column.name), column) for column in self.columns]
        return pa.table(made, names=[column.name for column in self.columns])

    def _column(self, values: "pyarrow.ChunkedArray", column: TypedColumn) -> Any:
        import pyarrow as pa

        try:
            made = values
            if pa.types.is_binary(column.arrow):
                made = pa.chunked_array([_bytes(chunk) for chunk in values.chunks], pa.binary())
            elif values.type != column.arrow:
                made = values.cast(column.arrow)
        except (pa.ArrowInvalid, ValueError):
            raise self._refused(column, f"is no {column.word} that the destination holds") from None
        for kind, check in CHECKS:
            if kind(column.arrow) and (why := check(made, self.holds)):
                raise self._refused(column, why)
        return made

    def _refused(self, column: TypedColumn, why: str) -> TerminalError:
        return TerminalError(
            f"table '{self.table}', column '{column.name}': a value {why}; nothing of it was "
            "changed or loaded",
            hint="give the column the type text, or leave such rows out by a filter",
        )


def _bytes(values: "pyarrow.Array") -> "pyarrow.Array":
    """PostgreSQL's hexadecimal form, read back."""
    import pyarrow as pa

    found = (value.as_py() for value in values)
    return pa.array(
        [None if text is None else bytes.fromhex(text.removeprefix("\\x")) for text in found],
        pa.binary(),
    )


def _not_finite(values: "pyarrow.ChunkedArray", holds: Holds) -> str | None:
    import pyarrow.compute as pc

    if holds.infinity or pc.all(pc.is_finite(values)).as_py() is not False:
        return None
    return "is infinite or no number, which the destination does not hold"


def _out_of_years(values: "pyarrow.ChunkedArray", holds: Holds) -> str | None:
    import pyarrow.compute as pc

    if holds.years is None or values.null_count == len(values):
        return None
    found = pc.min_max(pc.year(values)).as_py()
    first, last = holds.years
    if first <= found["min"] and found["max"] <= last:
        return None
    return f"lies outside of the years {first} to {last} that the destination holds"


def _has_nul(values: "pyarrow.ChunkedArray", holds: Holds) -> str | None:
    import pyarrow.compute as pc

    if holds.nul or not pc.any(pc.match_substring(values, "\0")).as_py():
        return None
    return "holds a NUL character, which the destination does not"


def _is_floating(type_: "pyarrow.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(type_))


def _is_time(type_: "pyarrow.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_temporal(type_))


def _is_text(type_: "pyarrow.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(type_))


CHECKS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Holds], str | None]], ...] = (
    (_is_floating, _not_finite),
    (_is_time, _out_of_years),
    (_is_text, _has_nul),
)
