"""The rows of a selection, for readers whose source cannot choose them itself."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Window
from etlfabric_core.extract_load.shape.casts import NOUNS, Kind, cast, kind_of
from etlfabric_core.extract_load.shape.engine import PLACE, Engine, select
from etlfabric_core.extract_load.shape.rows import named
from etlfabric_core.extract_load.shape.statement import literal
from etlfabric_core.extract_load.source_table import POSITION, Selection, SourceColumn
from etlfabric_core.graph.columns import ColumnType, Plain
from etlfabric_core.graph.resources import FilterOp, RowFilter

if TYPE_CHECKING:
    import pyarrow

COMPARISONS = {
    FilterOp.EQ: "=",
    FilterOp.NE: "<>",
    FilterOp.GT: ">",
    FilterOp.GTE: ">=",
    FilterOp.LT: "<",
    FilterOp.LTE: "<=",
}
SORTABLE = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?$"
EXACT_SQL = "DECIMAL(38, 18)"


def with_positions(batch: "pyarrow.Table", before: int) -> "pyarrow.Table":
    """The batch with the numbers of its rows; `before` is how many there were."""
    import pyarrow as pa

    numbers = pa.arange(before + 1, before + batch.num_rows + 1)
    return batch.append_column(POSITION, numbers)


def numbered(batches: "Iterator[pyarrow.Table]") -> "Iterator[pyarrow.Table]":
    """The batches of a whole table with positions."""
    before = 0
    for batch in batches:
        yield with_positions(batch, before)
        before += batch.num_rows


def selected(
    batches: "Iterator[pyarrow.Table]",
    columns: Sequence[SourceColumn],
    selection: Selection,
    types: Mapping[str, ColumnType],
) -> "Iterator[pyarrow.Table]":
    """Of batches with positions the rows that are in the selection's window and meet its filters.

    Values are compared in the type that the resource gives their column. A row whose value is not
    of that type passes: the type step refuses it. What is newer than `at_least`, dlt selects.

    Raises:
        TerminalError: a filter names a missing column, or its value is not of the column's type;
            the cursor is text that does not sort by time.
    """
    by_name = {column.name: column for column in columns}
    names = [one.column for one in selection.filters]
    names += [selection.cursor] if selection.cursor and selection.window else []
    read = {*names, *([selection.cursor] if selection.cursor else [])}
    if missing := sorted(read - by_name.keys()):
        raise TerminalError(
            f"filters, cursor: no column {', '.join(missing)}",
            hint=f"there are: {', '.join(by_name)}",
        )
    inputs = [by_name[name] for name in dict.fromkeys(names)]
    query = _query(inputs, selection, types)
    engine = Engine.open() if query else None
    left = selection.limit
    text_cursor = selection.cursor if selection.cursor not in types else None
    for batch in batches:
        if text_cursor and kind_of(by_name[text_cursor]) is Kind.TEXT:
            _require_sortable(batch.column(text_cursor), text_cursor)
        if engine and query:
            kept = engine.rows(named(batch, inputs), query)
            batch = batch.filter(kept.column("kept"))
        if left is not None:
            batch, left = batch.slice(0, left), left - min(left, batch.num_rows)
        yield batch if selection.positions else batch.drop_columns([POSITION])
        if left == 0:
            return


def _require_sortable(values: "pyarrow.ChunkedArray", cursor: str) -> None:
    from pyarrow import compute

    form = compute.all(compute.match_substring_regex(values, SORTABLE)).as_py()
    lengths = compute.count_distinct(compute.utf8_length(values)).as_py()
    if form is False or lengths > 1:
        raise TerminalError(
            f"cursor '{cursor}': as text these values do not sort in order",
            hint=f"give the column a type, for example columns: {{{cursor}: {{type: timestamp}}}}",
        )


def _query(
    inputs: Sequence[SourceColumn], selection: Selection, types: Mapping[str, ColumnType]
) -> str | None:
    place = {column.name: f"c{number}" for number, column in enumerate(inputs)}
    kinds = {column.name: kind_of(column) for column in inputs}
    conditions = [
        _condition(place[one.column], kinds[one.column], types.get(one.column), one)
        for one in selection.filters
    ]
    if selection.cursor and selection.window:
        name = selection.cursor
        conditions.append(_within(place[name], kinds[name], selection.window))
    return select([PLACE, f"{' AND '.join(conditions)} AS kept"], "batch") if conditions else None


def _within(value: str, kind: Kind, window: Window) -> str:
    time = cast(value, kind, ColumnType.TIMESTAMP)
    start, end = (
        f"TIMESTAMP '{bound.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}'"
        for bound in (window.start, window.end)
    )
    inside = f"(({time}) >= {start} AND ({time}) < {end})"
    return _unless_unfit(value, time, inside)


def _condition(value: str, kind: Kind, given: ColumnType | None, row_filter: RowFilter) -> str:
    to = given or (ColumnType(kind) if kind is not Kind.DOUBLE else None)
    typed = cast(value, kind, to) if to else value
    wanted = row_filter.value if isinstance(row_filter.value, tuple) else (row_filter.value,)
    if row_filter.op in COMPARISONS:
        met = _compared(typed, COMPARISONS[row_filter.op], wanted[0], to, row_filter)
    else:
        equal = [_compared(typed, "=", one, to, row_filter) for one in wanted] or ["FALSE"]
        met = f"({' OR '.join(equal)})"
        met = f"(NOT {met})" if row_filter.op is FilterOp.NOT_IN else met
    met = f"coalesce({met}, FALSE)"
    return _unless_unfit(value, typed, met) if to else met


def _unless_unfit(value: str, typed: str, met: str) -> str:
    if value == typed:
        return met
    return f"CASE WHEN {value} IS NOT NULL AND ({typed}) IS NULL THEN TRUE ELSE {met} END"


def _compared(
    typed: str, operator: str, wanted: Plain, to: ColumnType | None, row_filter: RowFilter
) -> str:
    text = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
    if to is None:
        return f"({typed} {operator} CAST({literal(text)} AS DOUBLE))"
    if not _fits(text, to):
        raise TerminalError(
            f"filter on '{row_filter.column}': the value is not {NOUNS[to]}",
            hint="compare with a value of the column's type",
        )
    bound = f"({cast(literal(text), Kind.TEXT, to)})"
    if to is not ColumnType.NUMBER:
        return f"(({typed}) {operator} {bound})"
    exact, rough = (
        f"TRY_CAST(({typed}) AS {type_}) {operator} TRY_CAST({bound} AS {type_})"
        for type_ in (EXACT_SQL, "DOUBLE")
    )
    return f"coalesce({exact}, {rough})"


def _fits(text: str, to: ColumnType) -> bool:
    sql = f"SELECT ({cast(literal(text), Kind.TEXT, to)}) IS NOT NULL"
    return bool(Engine.open().connection.sql(sql).fetchall() == [(True,)])
