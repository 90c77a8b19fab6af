"""The SELECT of a selection, for `COPY`, which takes no parameters: every value a quoted literal.

A literal without a cast takes the type of the column that it is compared with, whatever that is;
a cast to the column's own type would round or cut it first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Window
from etlfabric_core.extract_load.source_table import Selection, SourceColumn
from etlfabric_core.graph.columns import Plain
from etlfabric_core.graph.resources import FilterOp, RowFilter

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

OPERATORS = {
    FilterOp.EQ: "=",
    FilterOp.NE: "<>",
    FilterOp.GT: ">",
    FilterOp.GTE: ">=",
    FilterOp.LT: "<",
    FilterOp.LTE: "<=",
    FilterOp.IN: "in",
    FilterOp.NOT_IN: "not in",
}


@dataclass(frozen=True)
class Relation:
    """The table or view that a resource reads."""

    resource: str
    schema: str
    name: str
    columns: tuple[SourceColumn, ...]


def query(
    relation: Relation, selection: Selection, constant: tuple[str, str] | None = None
) -> "sql.Composed":
    """The rows of a selection. `constant` adds a column of that name with one text in every row.

    Raises:
        TerminalError: a filter names a column that is not there.
    """
    from psycopg import sql

    read = selection.narrowed(relation.columns)
    names: list[sql.Composable] = [sql.Identifier(column.name) for column in read]
    if constant:
        name, value = constant
        names.append(sql.SQL("{}::text as {}").format(value, sql.Identifier(name)))
    table = sql.Identifier(relation.schema, relation.name)
    made = sql.SQL("select {} from {}").format(sql.SQL(", ").join(names), table)
    conditions = [*_cursor(relation, selection), *filter_conditions(relation, selection.filters)]
    if conditions:
        made += sql.SQL(" where ") + sql.SQL(" and ").join(conditions)
    if selection.limit is not None:
        made += sql.SQL(" limit {}").format(selection.limit)
    return made


def count_query(relation: Relation, selection: Selection) -> "sql.Composed":
    """How many rows a selection has."""
    from psycopg import sql

    rows = query(relation, replace(selection, columns=frozenset()))
    return sql.SQL("select count(*) from ({}) as selected").format(rows)


def require_good_filters(
    connection: "psycopg.Connection", relation: Relation, filters: tuple[RowFilter, ...]
) -> None:
    """Lets the server read the filters' values, so that a wrong one is told by its column.

    Raises:
        TerminalError: a column is not there, or a value is not one of its type.
    """
    import psycopg
    from psycopg import sql

    table = sql.Identifier(relation.schema, relation.name)
    for row_filter, condition in zip(filters, filter_conditions(relation, filters), strict=True):
        statement = sql.SQL("explain select from {} where {}").format(table, condition)
        try:
            connection.execute(statement)
        except (psycopg.DataError, psycopg.errors.UndefinedFunction) as error:
            raise TerminalError(
                f"resource '{relation.resource}', filters: column '{row_filter.column}' cannot be "
                f"compared by '{row_filter.op}' with the value that is given for it",
                hint=f"PostgreSQL {error.sqlstate}: write it like a value of the column",
            ) from None


def filter_conditions(
    relation: Relation, filters: tuple[RowFilter, ...]
) -> "Iterator[sql.Composed]":
    """One condition per filter. In SQL, NULL meets none of these operators.

    Raises:
        TerminalError: a filter names a column that is not there.
    """
    from psycopg import sql

    names = [column.name for column in relation.columns]
    for row_filter in filters:
        if row_filter.column not in names:
            raise TerminalError(
                f"resource '{relation.resource}', filters: no column '{row_filter.column}'",
                hint=f"the columns are: {', '.join(names)}",
            )
        column = sql.Identifier(row_filter.column)
        operator = sql.SQL(OPERATORS[row_filter.op])
        if not isinstance(row_filter.value, tuple):
            yield sql.SQL("{} {} {}").format(column, operator, _literal(row_filter.value))
        elif row_filter.value:
            values = sql.SQL(", ").join(map(_literal, row_filter.value))
            yield sql.SQL("{} {} ({})").format(column, operator, values)
        else:  # SQL has no empty list
            condition = "false" if row_filter.op is FilterOp.IN else "{} is not null"
            yield sql.SQL(condition).format(column)


def _literal(value: Plain) -> "sql.Literal":
    from psycopg import sql

    return sql.Literal(str(value).lower() if isinstance(value, bool) else str(value))


def _cursor(relation: Relation, selection: Selection) -> "Iterator[sql.Composed]":
    from psycopg import sql

    if selection.cursor is None:
        return
    cursor = sql.Identifier(selection.cursor)
    if selection.window is not None:
        type_ = next(c.destination_type for c in relation.columns if c.name == selection.cursor)
        yield _within(cursor, type_ or "timestamptz", selection.window)
    elif selection.at_least is not None:
        # `not (c < x)` would do the same for rows; this form also lets an index be used, and
        # empty cursors are read so that they are refused rather than forgotten.
        newer = sql.SQL(">" if selection.is_exclusive else ">=")
        condition = sql.SQL("({} {} {} or {} is null)")
        yield condition.format(cursor, newer, sql.Literal(selection.at_least), cursor)


def _within(cursor: "sql.Identifier", type_: str, window: Window) -> "sql.Composed":
    """The cursor lies in the window. A time without a zone is taken as UTC."""
    from psycopg import sql

    start, end = (bound.astimezone(UTC) for bound in (window.start, window.end))
    form = "{0} >= {1}::timestamptz and {0} < {2}::timestamptz"
    if type_.startswith("date") or "without" in type_:
        form = "{0} >= {1}::timestamp and {0} < {2}::timestamp"
        start, end = start.replace(tzinfo=None), end.replace(tzinfo=None)
    return sql.SQL(form).format(
        cursor, sql.Literal(start.isoformat()), sql.Literal(end.isoformat())
    )
