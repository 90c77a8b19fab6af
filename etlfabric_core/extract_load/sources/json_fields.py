"""Fields of JSON records as columns: their types from their values, and batches of them."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors.csv import TIMESTAMP
from etlfabric_core.connectors.files import FieldType
from etlfabric_core.connectors.record import DiscoveredColumn
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import SourceColumn, arrow_schema, arrow_type
from etlfabric_core.extract_load.sources.csv_values import NUMBER, timestamps
from etlfabric_core.files.json_records import Record, kind_of, text_of

if TYPE_CHECKING:
    import pyarrow

BATCH_BYTES = 32 << 20
INT64 = range(-(2**63), 2**63)

COLUMNS: dict[FieldType, Callable[[str], SourceColumn]] = {
    FieldType.TEXT: lambda name: SourceColumn(name, "string", "text", is_time=True),
    FieldType.INTEGER: lambda name: SourceColumn(name, "int64", "bigint"),
    FieldType.NUMBER: lambda name: SourceColumn(name, "string", "numeric"),
    FieldType.BOOLEAN: lambda name: SourceColumn(name, "bool"),
    FieldType.DATE: lambda name: SourceColumn(name, "date32", is_time=True),
    FieldType.TIMESTAMP: lambda name: SourceColumn(name, "timestamp", is_time=True),
    FieldType.JSON: lambda name: SourceColumn(name, "string", "jsonb"),
}


@dataclass(frozen=True)
class Field:
    """A field, what it holds, and where that was seen first."""

    name: str
    type: FieldType
    place: str = ""

    def with_value(self, other: FieldType) -> FieldType | None:
        """The type that holds both; None where there is none."""
        if self.type == other:
            return other
        both = {self.type, other}
        return FieldType.NUMBER if both == {FieldType.INTEGER, FieldType.NUMBER} else None


def inferred(
    records: Iterable[Record], given: Mapping[str, FieldType], cast: Collection[str] = ()
) -> tuple[Field, ...]:
    """The fields of all records in the order in which they appear.

    A field that never has a value is none, unless its type is given. One with values of several
    kinds is text where it is `cast` to a type on its way.

    Raises:
        TerminalError: values of one field are of kinds that no type holds; names both places.
    """
    found = {field: Field(field, kind) for field, kind in given.items()}
    for record in records:
        for field, value in record.fields.items():
            if value is None or field in given:
                continue
            kind = _type_of(value)
            known = found.get(field)
            if known is None:
                found[field] = Field(field, kind, record.place)
            elif known.type != kind:
                mixed = Field(field, FieldType.TEXT) if field in cast else None
                found[field] = _widened(known, record.place, value, mixed)
    return tuple(found.values())


def _widened(known: Field, place: str, value: Any, mixed: Field | None) -> Field:
    both = known.with_value(_type_of(value))
    if both is None and mixed:
        return mixed
    if both is None:
        raise TerminalError(
            f"{place}, field '{known.name}': {kind_of(value)}, and {known.place} has {known.type}",
            hint=f"give its type in options: fields: {{{known.name}: text}} or {{… : json}}",
        )
    return Field(known.name, both, known.place)


def _type_of(value: Any) -> FieldType:
    if isinstance(value, bool):
        return FieldType.BOOLEAN
    if isinstance(value, int):
        return FieldType.INTEGER if value in INT64 else FieldType.NUMBER
    if isinstance(value, Decimal):
        return FieldType.NUMBER
    return FieldType.TEXT if isinstance(value, str) else FieldType.JSON


def discovered(records: Sequence[Record]) -> tuple[DiscoveredColumn, ...]:
    """The fields of some records as somebody chooses from them.

    Raises:
        TerminalError: as `inferred`.
    """
    found = []
    for field in inferred(records, {}):
        missing = any(record.fields.get(field.name) is None for record in records)
        why_not = None
        if field.type is not FieldType.INTEGER and not _holds_times(records, field):
            why_not = f"{field.type} values here do not grow from record to record"
        elif missing:
            why_not = "it can be missing; such records would never be loaded"
        found.append(
            DiscoveredColumn(field.name, field.type, missing, False, why_not is None, why_not)
        )
    return tuple(found)


def _holds_times(records: Sequence[Record], field: Field) -> bool:
    values = [record.fields.get(field.name) for record in records]
    given = [value for value in values if value is not None]
    return field.type is FieldType.TEXT and all(TIMESTAMP.fullmatch(value) for value in given)


def columns(fields: Iterable[Field]) -> tuple[SourceColumn, ...]:
    """How the fields travel."""
    return tuple(COLUMNS[field.type](field.name) for field in fields)


def batches(
    records: Iterable[Record], fields: Sequence[Field], batch_size: int
) -> "Iterator[pyarrow.Table]":
    """The records as tables of at most `batch_size` rows, and of bounded bytes.

    Raises:
        TerminalError: a value is not of its field's type; names the record and the field.
    """
    waiting: list[Record] = []
    size = 0
    for record in records:
        waiting.append(record)
        size += record.size
        if len(waiting) >= batch_size or size >= BATCH_BYTES:
            yield table(waiting, fields)
            waiting, size = [], 0
    if waiting:
        yield table(waiting, fields)


def table(records: Sequence[Record], fields: Sequence[Field]) -> "pyarrow.Table":
    """The records as one table.

    Raises:
        TerminalError: as `batches`.
    """
    import pyarrow as pa

    arrays = [_array(records, field) for field in fields]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(columns(fields)))


def _array(records: Sequence[Record], field: Field) -> Any:
    import pyarrow as pa

    values = [record.fields.get(field.name) for record in records]
    try:
        return _converted(values, field)
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        for record, value in zip(records, values, strict=True):
            _require_fits(record, value, field)
        raise


def _require_fits(record: Record, value: Any, field: Field) -> None:
    import pyarrow as pa

    try:
        _converted([value], field)
    except (TypeError, ValueError, OverflowError, pa.ArrowException):
        raise TerminalError(
            f"{record.place}, field '{field.name}': {kind_of(value)} that is not {field.type}",
            hint=f"give its type in options: fields: {{{field.name}: text}} or {{… : json}}",
        ) from None


def _converted(values: list[Any], field: Field) -> Any:
    """Null is null, for JSON fields too."""
    import pyarrow as pa

    convert = CONVERSIONS[field.type]
    found = [None if value is None else convert(value) for value in values]
    kind = arrow_type(COLUMNS[field.type](field.name))
    if field.type is FieldType.TIMESTAMP:
        return timestamps(pa.chunked_array([pa.array(found, pa.string())]))
    if field.type is FieldType.DATE:
        return pa.array(found, pa.string()).cast(kind)
    return pa.array(found, kind)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else text_of(value)


def _only_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("not an integer")
    return int(value)


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise TypeError("not a number")
    if not re.match(NUMBER, str(value)):
        raise ValueError("not a number")
    return str(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


CONVERSIONS: dict[FieldType, Callable[[Any], Any]] = {
    FieldType.TEXT: _text,
    FieldType.INTEGER: _integer,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _only_text,
    FieldType.TIMESTAMP: _only_text,
    FieldType.JSON: text_of,
}
