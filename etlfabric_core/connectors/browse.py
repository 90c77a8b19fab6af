"""Browsing for connectors whose list of tables is short: pages are cut from the whole list."""

from collections.abc import Callable, Iterable
from itertools import islice

from etlfabric_core.connectors.record import (
    Browse,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    TablePage,
    TableQuery,
)
from etlfabric_core.extract_load.plan import Endpoint

ListTables = Callable[[Endpoint, Files], Iterable[DiscoveredTable]]
DescribeTable = Callable[[Endpoint, Files, str], tuple[DiscoveredColumn, ...]]


def whole_list(tables: ListTables, columns: DescribeTable) -> Browse:
    """Browsing by one function that lists all tables and one that describes one of them."""

    def schemas(endpoint: Endpoint, files: Files) -> tuple[str, ...]:
        return tuple(sorted({table.schema for table in tables(endpoint, files) if table.schema}))

    def page(endpoint: Endpoint, files: Files, query: TableQuery) -> TablePage:
        return cut(tables(endpoint, files), query)

    return Browse(schemas, page, columns)


def cut(tables: Iterable[DiscoveredTable], query: TableQuery) -> TablePage:
    """The page that the query asks for."""
    searched = query.search.lower()
    matching = (
        table
        for table in sorted(tables, key=lambda table: (table.schema, table.name))
        if searched in table.name.lower()
        and (query.schema is None or table.schema == query.schema)
        and (query.after is None or (table.schema, table.name) > query.after)
    )
    found = tuple(islice(matching, query.limit + 1))
    return TablePage(found[: query.limit], len(found) > query.limit)
