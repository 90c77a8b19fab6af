"""Casts that never change a value in silence: what does not fit becomes NULL, which is noticed.

Timestamps are TIMESTAMP in UTC within DuckDB, because its zoned type follows the machine's zone.
A number travels as text; only expressions see it as DECIMAL_SQL.
"""

from collections.abc import Callable
from enum import StrEnum

from etlfabric_core.extract_load.source_table import SourceColumn
from etlfabric_core.graph.columns import ColumnType

DECIMAL_SQL = "DECIMAL(38, 10)"

NUMBER = r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*"
SHORT_NUMBER = r"\s*[+-]?(\d+(\.\d{0,10}0*)?|\.\d{1,10}0*)\s*"
INTEGER = r"\s*[+-]?\d+(\.0*)?\s*"
DATE = r"\s*\d{4,6}-\d\d-\d\d\s*"
ZONED = r".*\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?(Z|[+-]\d\d(:?\d\d)?)\s*"
UNZONED = r"\s*\d{4,6}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?)?\s*"
TRUTHS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), "TRUE"),
    **dict.fromkeys(("false", "f", "no", "n", "0"), "FALSE"),
}


class Kind(StrEnum):
    """What a value is on its way through DuckDB: a `ColumnType`, or one that it only has here."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    DECIMAL = "decimal"
    DOUBLE = "double"


SqlOf = Callable[[str], str]

ARROW_KINDS = {
    "int64": Kind.INTEGER,
    "double": Kind.DOUBLE,
    "bool": Kind.BOOLEAN,
    "date32": Kind.DATE,
    "timestamp": Kind.TIMESTAMP,
}

SHAPED: dict[str, Callable[[str], SourceColumn]] = {
    Kind.TEXT: lambda name: SourceColumn(name, "string", "text"),
    Kind.INTEGER: lambda name: SourceColumn(name, "int64", "bigint"),
    Kind.NUMBER: lambda name: SourceColumn(name, "string", "numeric"),
    Kind.BOOLEAN: lambda name: SourceColumn(name, "bool"),
    Kind.DATE: lambda name: SourceColumn(name, "date32", is_time=True),
    Kind.TIMESTAMP: lambda name: SourceColumn(name, "timestamp", is_time=True),
}

NOUNS = {
    ColumnType.TEXT: "a text",
    ColumnType.INTEGER: "an integer",
    ColumnType.NUMBER: "a number",
    ColumnType.BOOLEAN: "a boolean",
    ColumnType.DATE: "a date",
    ColumnType.TIMESTAMP: "a timestamp",
}


def kind_of(column: SourceColumn) -> Kind:
    """The kind of a column as the reader gives it."""
    if column.arrow != "string":
        return ARROW_KINDS[column.arrow]
    return Kind.NUMBER if (column.destination_type or "").startswith("numeric") else Kind.TEXT


def kind_of_sql(type_name: str) -> Kind | None:
    """The kind of a DuckDB type; None: there is none for it."""
    if type_name.startswith("DECIMAL"):
        return Kind.DECIMAL
    return {
        "VARCHAR": Kind.TEXT,
        "BOOLEAN": Kind.BOOLEAN,
        "DATE": Kind.DATE,
        "TIMESTAMP": Kind.TIMESTAMP,
        "DOUBLE": Kind.DOUBLE,
        "FLOAT": Kind.DOUBLE,
        "INTEGER": Kind.INTEGER,
        "BIGINT": Kind.INTEGER,
        "HUGEINT": Kind.INTEGER,
        '"NULL"': Kind.TEXT,
    }.get(type_name)


def cast(value: str, kind: Kind, to: ColumnType) -> str:
    """SQL for the value as another type; NULL where it does not fit exactly."""
    if kind.value == to.value:
        return f"TRY_CAST({value} AS BIGINT)" if kind is Kind.INTEGER else value
    direct = _DIRECT.get((kind, to))
    if direct is not None:
        return direct(value)
    return _FROM_TEXT[to](text_of(value, kind))


def text_of(value: str, kind: Kind) -> str:
    """SQL for the value as text, from which `cast` reads it back."""
    if kind in (Kind.TEXT, Kind.NUMBER):
        return value
    text = f"CAST({value} AS VARCHAR)"
    if kind is Kind.TIMESTAMP:
        return f"({text} || '+00')"
    return _short(text) if kind is Kind.DECIMAL else text


def _short(text: str) -> str:
    """A decimal's text without the zeros that only its type adds."""
    return f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"


def in_expression(value: str, to: ColumnType) -> str:
    """SQL for CAST in an expression, where the kind of a value is not known before it runs."""
    plain = f"CAST({value} AS VARCHAR)"
    if to is ColumnType.TEXT:
        return f"CASE WHEN typeof({value}) LIKE 'DECIMAL%' THEN {_short(plain)} ELSE {plain} END"
    if to is ColumnType.DATE:
        return f"CAST({required(plain, Kind.TEXT, ColumnType.TIMESTAMP)} AS DATE)"
    return required(plain, Kind.TEXT, to)


def for_expression(value: str, kind: Kind) -> str:
    """SQL for a value as expressions see it: numbers as decimals, or an error where one is longer.

    The error is a cast that fails: what stands around it makes a rejected row of it.
    """
    if kind is not Kind.NUMBER:
        return value
    return (
        f"CAST(CASE WHEN regexp_full_match({value}, '{SHORT_NUMBER}') THEN {value} "
        f"ELSE {value} || '!' END AS {DECIMAL_SQL})"
    )


def required(value: str, kind: Kind, to: ColumnType) -> str:
    """As `cast`, but what does not fit is an error of the row."""
    text = text_of(value, kind)
    types = {
        ColumnType.INTEGER: "BIGINT",
        ColumnType.NUMBER: DECIMAL_SQL,
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.DATE: "DATE",
        ColumnType.TIMESTAMP: "TIMESTAMP",
    }
    if to is ColumnType.TEXT:
        return text
    if to is ColumnType.NUMBER:
        return for_expression(text, Kind.NUMBER)
    typed = types[to]
    return (
        f"(CASE WHEN {cast(value, kind, to)} IS NULL THEN CAST({text} || '!' AS {typed}) "
        f"ELSE {cast(value, kind, to)} END)"
    )


def _integer(text: str) -> str:
    typed = f"TRY_CAST({text} AS BIGINT)"
    return (
        f"CASE WHEN CAST({typed} AS VARCHAR) = {text} THEN {typed} "
        f"WHEN regexp_full_match({text}, '{INTEGER}') "
        f"THEN TRY_CAST(split_part({text}, '.', 1) AS BIGINT) END"
    )


def _timestamp(text: str) -> str:
    """A text that ends as most moments in UTC do is not looked at for being one without a zone."""
    zoned = f"make_timestamp(epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)))"
    in_utc = f"(ends_with({text}, '+00') OR ends_with({text}, 'Z'))"
    return (
        f"CASE WHEN NOT {in_utc} AND regexp_full_match({text}, '{UNZONED}') "
        f"THEN TRY_CAST({text} AS TIMESTAMP) "
        f"WHEN regexp_full_match({text}, '{ZONED}') THEN {zoned} END"
    )


def _boolean(text: str) -> str:
    """Words as most files write them are known without being trimmed. IN would be a slow join."""
    whens = " ".join(f"WHEN '{word}' THEN {truth}" for word, truth in TRUTHS.items())
    return f"CASE {text} {whens} ELSE CASE lower(trim({text})) {whens} END END"


def _matching(pattern: str, found: str) -> SqlOf:
    return lambda text: (
        f"CASE WHEN regexp_full_match({text}, '{pattern}') THEN {found.format(v=text)} END"
    )


_FROM_TEXT: dict[ColumnType, SqlOf] = {
    ColumnType.TEXT: lambda text: text,
    ColumnType.INTEGER: _integer,
    ColumnType.NUMBER: _matching(NUMBER, "{v}"),
    ColumnType.BOOLEAN: _boolean,
    ColumnType.DATE: _matching(DATE, "TRY_CAST({v} AS DATE)"),
    ColumnType.TIMESTAMP: _timestamp,
}


def _whole(value: str) -> str:
    return f"CASE WHEN {value} = trunc({value}) THEN TRY_CAST({value} AS BIGINT) END"


_DIRECT: dict[tuple[str, str], SqlOf] = {
    (Kind.DECIMAL, ColumnType.INTEGER): _whole,
    (Kind.DOUBLE, ColumnType.INTEGER): _whole,
    (Kind.INTEGER, ColumnType.NUMBER): "CAST({} AS VARCHAR)".format,
    (Kind.DOUBLE, ColumnType.NUMBER): "CAST({} AS VARCHAR)".format,
    (Kind.DECIMAL, ColumnType.NUMBER): lambda value: text_of(value, Kind.DECIMAL),
    (Kind.INTEGER, ColumnType.BOOLEAN): "CASE {} WHEN 1 THEN TRUE WHEN 0 THEN FALSE END".format,
    (Kind.BOOLEAN, ColumnType.INTEGER): "CAST({} AS BIGINT)".format,
    (Kind.TIMESTAMP, ColumnType.DATE): "CAST({} AS DATE)".format,
    (Kind.DATE, ColumnType.TIMESTAMP): "CAST({} AS TIMESTAMP)".format,
}
