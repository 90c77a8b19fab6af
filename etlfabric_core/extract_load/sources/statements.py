"""The SELECT of a selection, in SQLAlchemy's words: every name quoted, every value bound."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, Select, TableClause
from sqlalchemy.sql.elements import quoted_name

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Window
from etlfabric_core.extract_load.source_table import Selection, SourceColumn
from etlfabric_core.graph.resources import FilterOp, RowFilter

LONGEST_NUMBER = 300  # digits
Expression = Callable[[ColumnElement[Any]], ColumnElement[Any]]


def plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The column as it is."""
    return column


@dataclass(frozen=True)
class SqlColumn:
    """A column, what the server is asked for to get its values, and what they are compared by.

    `in_window` is what a window's bounds are compared with, where a time is written in many ways.
    """

    column: SourceColumn
    expression: Expression = plain
    compared: Expression = plain
    in_window: Expression = plain


def bound(value: Any) -> ColumnElement[Any]:
    """A value as a bound parameter. Sessions speak UTC, so a time needs no zone of its own."""
    return sqlalchemy.literal(value.replace(tzinfo=None) if isinstance(value, datetime) else value)


@dataclass(frozen=True)
class SqlTable:
    """A table of an SQL source; `bind` makes the parameters that its values are compared with.

    `quoted` None leaves it to the dialect which names are quoted: one whose system writes plain
    names in capitals shows them in small letters.
    """

    name: str
    columns: tuple[SqlColumn, ...]
    schema: str | None = None
    bind: Callable[[Any], ColumnElement[Any]] = bound
    quoted: bool | None = True

    @property
    def source_columns(self) -> tuple[SourceColumn, ...]:
        """The columns as the loader sees them."""
        return tuple(entry.column for entry in self.columns)


@dataclass(frozen=True)
class TypeRule:
    """How values of the types that match travel; `destination` may repeat groups of `pattern`."""

    pattern: str
    arrow: str
    destination: str
    expression: Expression = plain
    compared: Expression = plain


def sql_column(name: str, type_: str, rules: Iterable[TypeRule]) -> SqlColumn:
    """The column by the first rule that its type matches; the last rule must match all."""
    for rule in rules:
        if match := re.fullmatch(rule.pattern, type_, re.DOTALL):
            destination = match.expand(rule.destination)
            is_time = destination.startswith(("timestamp", "date"))
            column = SourceColumn(name, rule.arrow, destination, is_time)
            return SqlColumn(column, rule.expression, rule.compared)
    raise TerminalError(f"column '{name}': type {type_} is not known", hint="read it from a view")


def statement(
    table: SqlTable,
    selection: Selection,
    selected: Callable[[Sequence[ColumnElement[Any]]], Sequence[ColumnElement[Any]]] = tuple,
) -> Select[Any]:
    """The query for the rows of a selection. `selected` can put the columns together.

    Raises:
        TerminalError: a filter names a column that is not there, or compares with a wrong value.
    """
    names = [quoted_name(entry.column.name, table.quoted) for entry in table.columns]
    source = sqlalchemy.table(
        quoted_name(table.name, table.quoted),
        *(sqlalchemy.column(name) for name in names),
        schema=quoted_name(table.schema, table.quoted) if table.schema else None,
    )
    values = [
        entry.expression(source.c[name])
        for name, entry in zip(names, table.columns, strict=True)
        if selection.reads(entry.column.name)
    ]
    labelled = [value.label(f"c{place}") for place, value in enumerate(selected(values))]
    query = sqlalchemy.select(*labelled).select_from(source)
    query = query.where(*_conditions(table, source, selection))
    return query.limit(selection.limit) if selection.limit is not None else query


def count_statement(table: SqlTable, selection: Selection) -> Select[Any]:
    """The query for the number of rows of a selection.

    Raises:
        TerminalError: as `statement`.
    """
    every = sqlalchemy.func.count()
    return statement(table, selection).with_only_columns(every, maintain_column_froms=True)


def _conditions(
    table: SqlTable, source: TableClause, selection: Selection
) -> Iterator[ColumnElement[bool]]:
    if selection.cursor is not None:
        entry = _entry(table, selection.cursor)
        cursor = entry.compared(source.c[selection.cursor])
        if selection.window is not None:
            moment = entry.in_window(cursor)
            start, end = bounds(entry.column, selection.window)
            yield moment >= table.bind(start)
            yield moment < table.bind(end)
        elif selection.at_least is not None:
            # Empty cursors are read so that they are refused rather than forgotten.
            least = table.bind(operand(entry.column, selection.at_least))
            newer = cursor > least if selection.is_exclusive else cursor >= least
            yield sqlalchemy.or_(newer, source.c[selection.cursor].is_(None))
    for row_filter in selection.filters:
        entry = _entry(table, row_filter.column)
        column = entry.compared(source.c[row_filter.column])
        yield _condition(column, entry.column, row_filter, table.bind)


def _entry(table: SqlTable, name: str) -> SqlColumn:
    for entry in table.columns:
        if entry.column.name == name:
            return entry
    raise TerminalError(
        f"table '{table.name}', filters: no column '{name}'",
        hint=f"its columns are: {', '.join(entry.column.name for entry in table.columns)}",
    )


OPERATORS: dict[FilterOp, Callable[[Any, Any], ColumnElement[bool]]] = {
    FilterOp.EQ: lambda column, value: column == value,
    FilterOp.NE: lambda column, value: column != value,
    FilterOp.GT: lambda column, value: column > value,
    FilterOp.GTE: lambda column, value: column >= value,
    FilterOp.LT: lambda column, value: column < value,
    FilterOp.LTE: lambda column, value: column <= value,
    # An empty list is no SQL; what SQLAlchemy writes in its place, ClickHouse refuses.
    FilterOp.IN: lambda column, values: column.in_(values) if values else sqlalchemy.false(),
    FilterOp.NOT_IN: lambda column, values: (
        column.is_not(None) & column.not_in(values) if values else column.is_not(None)
    ),
}


def _condition(
    column: ColumnElement[Any],
    source: SourceColumn,
    row_filter: RowFilter,
    bind: Callable[[Any], ColumnElement[Any]],
) -> ColumnElement[bool]:
    given = row_filter.value
    if isinstance(given, tuple):
        return OPERATORS[row_filter.op](column, [bind(operand(source, one)) for one in given])
    return OPERATORS[row_filter.op](column, bind(operand(source, given)))


def operand(column: SourceColumn, value: Any) -> Any:
    """A value from the configuration or the state, in the column's own type.

    Raises:
        TerminalError: it cannot be one.
    """
    try:
        return _operand(column, value)
    except (ValueError, TypeError, InvalidOperation):
        raise TerminalError(
            f"column '{column.name}' cannot be compared with the value that is given for it",
            hint=f"write it like a value of {column.destination_type or column.arrow}",
        ) from None


def _operand(column: SourceColumn, value: Any) -> Any:
    kind = column.destination_type or column.arrow
    if kind.startswith("timestamp"):
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        return _in_utc(moment, kind)
    if kind == "date":
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    if kind == "bytea":
        return bytes.fromhex(str(value).removeprefix("\\x"))
    if column.arrow == "bool":
        return _boolean(value)
    if column.arrow == "double":
        return float(value)
    if column.arrow in ("int64", "uint64") or kind.startswith("numeric"):
        return _number(value)
    return value if isinstance(value, str) else str(value)


def _number(value: Any) -> int | Decimal:
    number = Decimal(str(int(value) if isinstance(value, bool) else value).strip())
    if not number.is_finite() or abs(number.adjusted()) > LONGEST_NUMBER:
        raise ValueError("not a number that a column holds")
    return int(number) if number == number.to_integral_value() else number


def _boolean(value: Any) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if (word := str(value).lower()) not in known:
        raise ValueError("not a boolean")
    return known[word]


def _in_utc(moment: datetime, kind: str) -> datetime:
    """The same moment in UTC, without a zone where the column has none."""
    zoned = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return zoned if "with time zone" in kind else zoned.replace(tzinfo=None)


def bounds(column: SourceColumn, window: Window) -> tuple[Any, Any]:
    """The window's bounds in the type of the cursor. A time without a zone is taken as UTC."""
    start, end = (
        _bound_of(bound.astimezone(UTC), column.destination_type or column.arrow)
        for bound in (window.start, window.end)
    )
    return start, end


def _bound_of(moment: datetime, kind: str) -> Any:
    if kind == "date":
        return _first_day(moment)
    if kind == "text":
        return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return _in_utc(moment, kind)


def _first_day(bound: datetime) -> date:
    """The first day that does not begin before the bound."""
    day = bound.date()
    return day if bound.time() == datetime.min.time() else day + timedelta(days=1)
