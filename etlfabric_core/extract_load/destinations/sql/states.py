"""The versions of a pipeline's state in dlt's tables at SQL destinations."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from etlfabric_core.errors import TransientError
from etlfabric_core.extract_load.destinations.sql.ledger import Ledger, require_current
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.destinations.states import LOADS, STATES, Kept
from etlfabric_core.extract_load.destinations.writer import Writer
from etlfabric_core.extract_load.plan import Endpoint

PATIENCE_S = 10  # for a database that one process at a time can write to
FOUND = (
    ("l", "load_id"),
    ("s", "state"),
    ("s", "version"),
    ("s", "version_hash"),
    ("s", "created_at"),
)


@dataclass(frozen=True)
class SqlVersions:
    """See `Versions`. The client is open."""

    ledger: Ledger
    writing: SqlWriting

    def newest(self, most: int) -> Sequence[Kept]:
        """See `Versions`."""
        if not all(map(self.ledger.is_there, (STATES, LOADS))):
            return []
        sql = self.ledger.client.sql_client
        names = ", ".join(f"{table}.{self._column(name)}" for table, name in FOUND)
        load_id = f"l.{self._column('load_id')}"
        query = (
            f"select {names} from {self.ledger.name(STATES)} s "  # noqa: S608
            f"join {self.ledger.name(LOADS)} l on {load_id} = s.{self._column('_dlt_load_id')} "
            f"where s.{self._column('pipeline_name')} = %s and l.{self._column('status')} = 0 "
            f"order by {load_id} desc"
        )
        with sql.execute_query(query, self.ledger.writer.pipeline) as cursor:
            return [Kept.of(*row) for row in cursor.fetchmany(most)]

    def add(self, row: dict[str, Any], former: Kept) -> None:
        """See `Versions`. The load comes last: without it the state does not count."""
        now = row["created_at"]
        at = now if self.writing.holds.zones else now.replace(tzinfo=None)
        self._insert(STATES, {**row, "created_at": at})
        names = ", ".join(map(self._column, ("schema_name", "schema_version_hash")))
        [(schema, version)] = self.ledger.client.sql_client.execute_sql(
            f"select {names} from {self.ledger.name(LOADS)} "  # noqa: S608
            f"where {self._column('load_id')} = %s",
            former.load_id,
        )
        load = {"load_id": row["_dlt_load_id"], "schema_name": schema, "status": 0}
        self._insert(LOADS, {**load, "inserted_at": at, "schema_version_hash": version})

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        names, values = ", ".join(map(self._column, row)), ", ".join(["%s"] * len(row))
        self.ledger.client.sql_client.execute_sql(
            f"insert into {self.ledger.name(table)} ({names}) values ({values})",  # noqa: S608
            *row.values(),
        )

    def _column(self, name: str) -> str:
        return str(self.ledger.client.sql_client.escape_column_name(name))


@dataclass(frozen=True)
class SqlStates:
    """See `StateStore`."""

    writing: SqlWriting

    @contextmanager
    def reading(self, endpoint: Endpoint, writer: Writer) -> Iterator[SqlVersions]:
        """See `StateStore`."""
        ledger = Ledger.of(endpoint, self.writing, writer, is_read=True)
        with ledger.client:
            yield SqlVersions(ledger, self.writing)

    @contextmanager
    def changing(self, endpoint: Endpoint, writer: Writer) -> Iterator[SqlVersions]:
        """See `StateStore`."""
        with self.writing.held(endpoint, _Patience(writer.epoch)):
            ledger = Ledger.of(endpoint, self.writing, writer)
            with ledger.client as client:
                ledger.prepare()
                ledger.take_over()
                with client.sql_client.begin_transaction():
                    require_current(client.sql_client, writer, self.writing.row_lock)
                    yield SqlVersions(ledger, self.writing)


@dataclass(frozen=True)
class _Patience:
    """A lease of somebody who waits for loads of others, but not for long."""

    epoch: int
    until: float = field(default_factory=lambda: time.monotonic() + PATIENCE_S)

    def check(self) -> None:
        """Raises TransientError when it is over."""
        if time.monotonic() > self.until:
            raise TransientError(
                "a load is writing to the database", hint="try again when it is over"
            )
