"""What every comparison of keys is held to, at any destination that can compare them."""

from collections.abc import Sequence

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.contract import normal_name
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.graph.resources import ResourceConfig, RowFilter


def require_few(table: PlannedTable, *, keys: int, rows: int, gone: int) -> None:
    """Checks what would be deleted: `gone` of `rows`, where the source gave so many `keys`.

    Raises:
        TerminalError: the source has no keys at all, or more rows than `max_deleted` allows
            would be deleted.
    """
    if rows and not keys:
        raise _refused(table, f"the source gave no keys, and the table has {rows} rows")
    most = table.config.max_deleted
    if gone > rows * most:
        words = f"{gone} of {rows} rows are gone from the source, max_deleted is {most:g}"
        raise _refused(table, words)


def loaded_filters(resource: ResourceConfig) -> Sequence[RowFilter]:
    """The filters of a resource, by the names that its columns have at the destination."""
    names = {name: column.name for name, column in resource.columns.items() if column.name}
    return [
        one.model_copy(update={"column": normal_name(names.get(one.column, one.column))})
        for one in resource.filters
    ]


def _refused(table: PlannedTable, words: str) -> TerminalError:
    return TerminalError(
        f"table '{table.name}': {words}; nothing was written",
        hint="look whether the source is complete; if it is, raise max_deleted for one run, "
        "or empty the table yourself",
    )
