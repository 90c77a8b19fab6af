"""What loads write down at a SQL destination: who writes a pipeline, which loads began, and when
keys were compared.

A load is noted before its first row. When it is not among dlt's complete loads afterwards, the
rows that it appended are taken out: they carry its id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etlfabric_core.connectors.sql import require_driver
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.destinations.writer import FencedError, Writer
from etlfabric_core.extract_load.plan import Endpoint

LEASE_TABLE = "_etlfabric_lease"
LOAD_TABLE = "_etlfabric_load"
COMPARED_TABLE = "_etlfabric_compared"
LEDGER = "etlfabric"
COLUMNS = {
    LEASE_TABLE: {"pipeline": "text", "epoch": "bigint"},
    LOAD_TABLE: {"pipeline": "text", "load_id": "text", "table_name": "text"},
    COMPARED_TABLE: {"pipeline": "text", "table_name": "text", "compared_at": "bigint"},
}


def ledger_schema() -> Any:
    """The tables as a dlt schema of their own, so that dlt makes them in any dialect."""
    from dlt.common.schema import Schema
    from dlt.common.schema.utils import new_table

    schema = Schema(LEDGER)
    for name, columns in COLUMNS.items():
        hints: list[Any] = [
            {"name": column, "data_type": type_, "nullable": False}
            for column, type_ in columns.items()
        ]
        schema.update_table(new_table(name, columns=hints), normalize_identifiers=False)
    return Schema.from_dict(schema.to_dict())  # whose version is that of its content


@dataclass(frozen=True)
class Ledger:
    """These tables, through the connection of a client that is open."""

    writer: Writer
    client: Any
    row_lock: str

    @classmethod
    def of(
        cls, endpoint: Endpoint, writing: SqlWriting, writer: Writer, *, is_read: bool = False
    ) -> "Ledger":
        """That of a writer, whose client is still to be opened; to read alone where it `is_read`.

        Raises:
            InvalidConfig: the driver is missing, or a field of the connection is wrong.
        """
        from etlfabric_core.extract_load.destinations.sql.client import plain

        if writing.driver:
            require_driver(*writing.driver)
        made = plain(endpoint, writing, is_read=is_read)
        config = made.spec()._bind_dataset_name(writer.dataset, LEDGER)
        return cls(writer, made.client(ledger_schema(), config), writing.row_lock)

    def prepare(self) -> None:
        """Makes the dataset, that for staging, and the tables, where they are missing."""
        with self.client.with_staging_dataset():
            self.client.initialize_storage()
        self.client.initialize_storage()
        self.client.update_stored_schema()

    def take_over(self) -> None:
        """Becomes the one writer. It waits for transactions of older ones, where rows are locked.

        Raises:
            FencedError: a newer try is already there.
        """
        table, sql = self.name(LEASE_TABLE), self.client.sql_client
        with sql.begin_transaction():
            held = sql.execute_sql(
                f"select max(epoch) from {table} where pipeline = %s",  # noqa: S608
                self.writer.pipeline,
            )[0][0]
            if held is not None and int(held) > self.writer.epoch:
                raise FencedError
            sql.execute_sql(
                f"delete from {table} where pipeline = %s and epoch <= %s",  # noqa: S608
                self.writer.pipeline,
                self.writer.epoch,
            )
            sql.execute_sql(
                f"insert into {table} (pipeline, epoch) values (%s, %s)",  # noqa: S608
                self.writer.pipeline,
                self.writer.epoch,
            )

    def remove_orphans(self) -> int:
        """Takes out what unfinished loads appended; returns how many rows it were."""
        sql, writer = self.client.sql_client, self.writer
        removed = 0
        with sql.begin_transaction():
            require_current(sql, writer, self.row_lock)
            for load_id, table in self._begun():
                if not self.completed([load_id]) and self.is_there(table):
                    removed += self._remove(table, load_id)
            sql.execute_sql(
                f"delete from {self.name(LOAD_TABLE)} where pipeline = %s",  # noqa: S608
                writer.pipeline,
            )
        return removed

    def _begun(self) -> list[tuple[str, str]]:
        rows = self.client.sql_client.execute_sql(
            f"select load_id, table_name from {self.name(LOAD_TABLE)} where pipeline = %s",  # noqa: S608
            self.writer.pipeline,
        )
        return [(str(row[0]), str(row[1])) for row in rows]

    def _remove(self, table: str, load_id: str) -> int:
        rows = rows_of(self.client.sql_client, table, load_id)
        self.client.sql_client.execute_sql(
            f"delete from {self.name(table)} where _dlt_load_id = %s",  # noqa: S608
            load_id,
        )
        return rows

    def register(self, load_ids: Sequence[str], appended: Sequence[str]) -> None:
        """Notes loads that are about to begin, and the tables they append to."""
        sql = self.client.sql_client
        with sql.begin_transaction():
            require_current(sql, self.writer, self.row_lock)
            for load_id in load_ids:
                for table in appended:
                    sql.execute_sql(
                        f"insert into {self.name(LOAD_TABLE)} (pipeline, load_id, table_name) "  # noqa: S608
                        "values (%s, %s, %s)",
                        *(self.writer.pipeline, load_id, table),
                    )

    def completed(self, load_ids: Sequence[str]) -> bool:
        """Whether the destination lists all these loads as complete."""
        loads = self.name(self.client.schema.loads_table_name)
        places = ", ".join(["%s"] * len(load_ids))
        found = self.client.sql_client.execute_sql(
            f"select count(*) from {loads} where load_id in ({places}) and status = 0",  # noqa: S608
            *load_ids,
        )
        return int(found[0][0]) == len(load_ids)

    def is_there(self, table: str) -> bool:
        """Whether the dataset has the table."""
        return bool(self.client.get_storage_table(table)[0])

    def name(self, table: str) -> str:
        """A table of the dataset, as SQL."""
        return str(self.client.sql_client.make_qualified_table_name(table))


def require_current(sql: Any, writer: Writer, row_lock: str) -> None:
    """Checks that nobody has taken over; with a lock, that nobody does before the commit.

    Raises:
        FencedError: somebody has.
    """
    with sql.with_alternative_dataset_name(writer.dataset):
        table = sql.make_qualified_table_name(LEASE_TABLE)
        found = sql.execute_sql(
            f"select epoch from {table} where pipeline = %s{row_lock}",  # noqa: S608
            writer.pipeline,
        )
    if [int(row[0]) for row in found] != [writer.epoch]:
        raise FencedError


def rows_of(sql: Any, table: str, load_id: str) -> int:
    """Rows of a table that a load brought."""
    name = sql.make_qualified_table_name(table)
    query = f"select count(*) from {name} where _dlt_load_id = %s"  # noqa: S608
    return int(sql.execute_sql(query, load_id)[0][0])


def forget(sql: Any, writer: Writer, load_id: str) -> None:
    """Takes a completed load out of the notes."""
    table = sql.make_qualified_table_name(LOAD_TABLE)
    sql.execute_sql(
        f"delete from {table} where pipeline = %s and load_id = %s",  # noqa: S608
        *(writer.pipeline, load_id),
    )
