"""DuckDB as a calculator over one Arrow batch: no files, no network, no settings to change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb
    import pyarrow

PLACE = "place"
# Two threads: casts take most of the time of a mapped file, and rows are put back into their order.
LIMITS = {"memory_limit": "512MB", "threads": "2", "temp_directory": ""}  # it spills nothing
CLOSED = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET python_enable_replacements = false",
    "SET ieee_floating_point_ops = false",  # so that division by zero is an error
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def select(columns: Sequence[str], source: str) -> str:
    """A query; it is made of our own SQL, quoted literals and columns that are only numbered."""
    return f"SELECT {', '.join(columns)} FROM {source}"  # noqa: S608


@dataclass(frozen=True)
class Engine:
    """A database in memory that holds nothing but the batch."""

    connection: "duckdb.DuckDBPyConnection"

    @classmethod
    def open(cls) -> "Engine":
        """A new one."""
        import duckdb

        connection = duckdb.connect(":memory:", config=LIMITS)
        for statement in CLOSED:
            connection.execute(statement)
        return cls(connection)

    def types(self, batch: "pyarrow.Table", query: str) -> list[str]:
        """The types of the columns of a query."""
        self.connection.register("batch", batch)
        return [str(row[1]) for row in self.connection.execute(f"DESCRIBE {query}").fetchall()]

    def rows(self, batch: "pyarrow.Table", query: str) -> "pyarrow.Table":
        """One row for each of the batch, in its order. Both the batch and the result have a PLACE.

        DuckDB promises no order: a join, such as IN with a list becomes, gives the last rows of
        each chunk too late.
        """
        import pyarrow as pa
        from pyarrow import compute

        found = self.run(batch, query)
        places = found.column(PLACE).combine_chunks()
        in_order = places.equals(pa.arange(0, batch.num_rows))
        return found if in_order else found.take(compute.sort_indices(places))

    def run(self, batch: "pyarrow.Table", query: str) -> "pyarrow.Table":
        """The result of a query over the batch."""
        self.connection.register("batch", batch)
        try:
            return self.connection.sql(query).to_arrow_table()
        finally:
            self.connection.unregister("batch")
