"""dlt's destinations for SQL systems, fenced, and counting what arrived.

Rows are counted where they lie: those that are appended when the load is completed, all others
when their staging table is full.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from dlt.common.destination import Destination

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.merging import KeyedMerges
from etlfabric_core.extract_load.destinations.sql.ledger import forget, require_current, rows_of
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.destinations.standing import StandingTables
from etlfabric_core.extract_load.destinations.writer import LoadGuard
from etlfabric_core.extract_load.plan import Endpoint, Window
from etlfabric_core.extract_load.shape.rejected import SUFFIX


@dataclass(frozen=True)
class Fence:
    """What the clients of one load are told."""

    writing: SqlWriting
    guard: LoadGuard

    def check(self, sql: Any) -> None:
        """Raises FencedError when another try has taken over."""
        require_current(sql, self.guard.writer, self.writing.row_lock)


class FencedTransactions:
    """Begins every transaction with the question whether this writer is still the one."""

    fence: Fence

    @contextmanager
    def begin_transaction(self) -> Iterator[Any]:
        with super().begin_transaction() as transaction:  # type: ignore[misc]
            self.fence.check(self)
            yield transaction


def recast(sql: Any, *mixins: type, **attributes: Any) -> Any:
    """The same SQL client, with more to its class: dlt's job clients make it themselves."""
    kind = type(sql)
    made: Any = type(f"Recast{kind.__name__}", (*mixins, kind), attributes)
    other = object.__new__(made)
    vars(other).update(vars(sql))
    return other


class FencedJobs(StandingTables, KeyedMerges):
    """The job client of one load."""

    fence: Fence

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.sql_client = recast(self.sql_client, FencedTransactions, fence=self.fence)

    def _create_merge_followup_jobs(self, table_chain: Any) -> list[Any]:
        root = table_chain[0]
        keys = [column for column in root["columns"].values() if column.get("primary_key")]
        self._require_told_apart(root["name"], keys)
        self._index(root["name"], keys)
        jobs = super()._create_merge_followup_jobs(table_chain)
        self._count_staged(root["name"])
        return jobs

    def _create_replace_followup_jobs(self, table_chain: Any) -> list[Any]:
        self._count_staged(table_chain[0]["name"])
        return list(super()._create_replace_followup_jobs(table_chain))

    def _require_told_apart(self, table: str, keys: list[Any]) -> None:
        texts = [column["name"] for column in keys if column["data_type"] == "text"]
        if not table.endswith(SUFFIX) and texts and self.fence.writing.folds_text:
            raise TerminalError(
                f"resource '{table}', primary_key: {self.fence.writing.label} takes texts for the "
                f"same that differ in case or blanks ({', '.join(texts)}); nothing was written",
                hint="choose a key of numbers or times, or replace the table",
            )

    def _index(self, table: str, keys: list[Any]) -> None:
        if keys and self.fence.writing.indexed:
            with self, self.with_staging_dataset():
                self.fence.writing.indexed(self.sql_client, table, keys)

    def _count_staged(self, table: str) -> None:
        with self, self.with_staging_dataset():
            name = self.sql_client.make_qualified_table_name(table)
            rows = self.sql_client.execute_sql(f"select count(*) from {name}")[0][0]  # noqa: S608
        self.fence.guard.count(table, int(rows))

    def complete_load(self, load_id: str) -> None:
        """Everything that makes the load count happens here, in one transaction if there are any.

        Without transactions it can end half-way: then the load is not among the complete ones, and
        the next try takes out what it appended.
        """
        guard = self.fence.guard
        guard.lease.check()
        with self.sql_client.begin_transaction():
            for table in self._appended():
                guard.count(table, rows_of(self.sql_client, table, load_id))
            for table, cursor in guard.reloaded.items():
                if guard.window is not None and table in self.schema.tables:
                    self._remove_older_rows(table, cursor, load_id, guard.window)
            super().complete_load(load_id)
            forget(self.sql_client, guard.writer, load_id)

    def _appended(self) -> list[str]:
        return [
            table["name"]
            for table in self.schema.data_tables()
            if table.get("write_disposition") == "append"
        ]

    def _remove_older_rows(self, table: str, cursor: str, load_id: str, window: Window) -> None:
        name = self.sql_client.make_qualified_table_name(table)
        escaped = self.sql_client.escape_column_name(cursor)
        hint = self.schema.tables[table]["columns"].get(cursor, {})
        zoned = hint.get("timezone", True) and self.fence.writing.holds.zones
        start, end = (at if zoned else at.replace(tzinfo=None) for at in (window.start, window.end))
        self.sql_client.execute_sql(
            f"delete from {name} where _dlt_load_id <> %s "  # noqa: S608
            f"and {escaped} >= %s and {escaped} < %s",
            *(load_id, start, end),
        )


def fenced(endpoint: Endpoint, writing: SqlWriting, guard: LoadGuard) -> Destination[Any, Any]:
    """dlt's destination, whose clients are fenced and count."""
    fence, factory = Fence(writing, guard), writing.factory()

    class Fenced(factory):  # type: ignore[misc, valid-type]
        @property
        def client_class(self) -> Any:
            return type("FencedClient", (FencedJobs, super().client_class), {"fence": fence})

    return made(Fenced, endpoint, writing)


def plain(
    endpoint: Endpoint, writing: SqlWriting, *, is_read: bool = False
) -> Destination[Any, Any]:
    """dlt's destination as it is; to read alone where it `is_read`."""
    arguments = writing.arguments_to_read if is_read else writing.arguments
    return made(writing.factory(), endpoint, replace(writing, arguments=arguments))


def made(factory: Any, endpoint: Endpoint, writing: SqlWriting) -> Destination[Any, Any]:
    """The destination, with credentials that lead to the checked addresses only."""
    connecting = writing.connecting(endpoint) if writing.connecting else None

    class Reached(factory):  # type: ignore[misc]
        def client(self, schema: Any, initial_config: Any = None) -> Any:
            opened = super().client(schema, initial_config)
            if connecting:
                opened.sql_client = recast(opened.sql_client, connecting)
            return opened

    return cast(
        Destination[Any, Any],
        Reached(
            **writing.arguments(endpoint),
            **writing.capabilities,
            destination_name=endpoint.connector,
            replace_strategy="insert-from-staging",
        ),
    )
