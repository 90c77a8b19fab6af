"""Which rows of a loaded table a load's own selection means, as SQL of its destination.

A filter compares at the source in the source's type. What has no such type at the destination is
text there, and texts have another order everywhere: such filters cannot be asked again.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.contract import normal_name
from etlfabric_core.extract_load.destinations.comparing import loaded_filters
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.extract_load.source_table import SourceColumn
from etlfabric_core.extract_load.sources.postgres_query import OPERATORS
from etlfabric_core.extract_load.sources.statements import bounds, operand
from etlfabric_core.extract_load.typed import Holds, arriving_column
from etlfabric_core.graph.resources import FilterOp, RowFilter

Condition = tuple[str, Sequence[Any]]  # SQL with %s in it, and the values for these
TEXTS = ("text", "character", "varchar", "char")
BY_VALUE = (FilterOp.EQ, FilterOp.NE, FilterOp.IN, FilterOp.NOT_IN)


def conditions(sql: Any, table: PlannedTable, holds: Holds) -> Iterator[Condition]:
    """One condition per filter, and those of the window; `sql` is dlt's client.

    Raises:
        TerminalError: a filter cannot be asked at the destination, or its value is none.
    """
    columns = {normal_name(column.name): column for column in table.columns}
    for one in loaded_filters(table.config):
        name, column = sql.escape_column_name(one.column), columns.get(one.column)
        if column is None or not _is_comparable(column, one.op, holds):
            raise TerminalError(
                f"resource '{table.config.name}', deletes: the filter on '{one.column}' by "
                f"'{one.op}' cannot be asked at the destination; nothing was written",
                hint="filter by another column, or leave `deletes` out",
            )
        yield _condition(name, arriving_column(column, holds), one)
    if table.window and table.cursor:
        name = sql.escape_column_name(normal_name(table.cursor.name))
        first, end = bounds(arriving_column(table.cursor, holds), table.window)
        yield f"{name} >= %s and {name} < %s", [first, end]


def _is_comparable(column: SourceColumn, op: FilterOp, holds: Holds) -> bool:
    if arriving_column(column, holds).destination_type != "text":
        return True
    return (column.destination_type or "text").startswith(TEXTS) and op in BY_VALUE


def _condition(name: str, column: SourceColumn, one: RowFilter) -> Condition:
    given = one.value
    if not isinstance(given, tuple):
        return f"{name} {OPERATORS[one.op]} %s", [operand(column, given)]
    if not given:  # SQL has no empty list
        return ("1 = 0" if one.op is FilterOp.IN else f"{name} is not null"), []
    places = ", ".join(["%s"] * len(given))
    return f"{name} {OPERATORS[one.op]} ({places})", [operand(column, value) for value in given]
