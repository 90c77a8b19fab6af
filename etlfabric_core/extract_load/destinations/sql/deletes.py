"""Deletes at the source, found by comparing keys at a SQL destination: rows are marked or removed.

Keys are compared before the load, so that a source that gives too few changes nothing, and rows
are marked or removed after it, in one transaction per table with the note of when it was.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from etlfabric_core import clock
from etlfabric_core.extract_load.destinations.comparing import require_few
from etlfabric_core.extract_load.destinations.sql.ledger import (
    COMPARED_TABLE,
    Ledger,
    require_current,
)
from etlfabric_core.extract_load.destinations.sql.selected import conditions
from etlfabric_core.extract_load.destinations.sql.staged_keys import StagedKeys
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.destinations.writer import Gone
from etlfabric_core.extract_load.evidence import KeySet
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.graph.resources import DELETED_AT, ResourceConfig


def is_due(ledger: Ledger, resource: ResourceConfig, table: str) -> bool:
    """Whether the keys of a table are to be compared in this load. The client is open."""
    if resource.deletes == "none":
        return False
    found = ledger.client.sql_client.execute_sql(
        f"select max(compared_at) from {ledger.name(COMPARED_TABLE)} "  # noqa: S608
        "where pipeline = %s and table_name = %s",
        *(ledger.writer.pipeline, table),
    )
    last = found[0][0]
    since = clock.now() - timedelta(hours=resource.deletes_every)
    return last is None or int(last) <= since.timestamp()


@dataclass(frozen=True)
class Comparison:
    """The keys of one table against its rows. The client is open."""

    ledger: Ledger
    writing: SqlWriting
    table: PlannedTable
    keys: KeySet

    @property
    def staged(self) -> StagedKeys:
        """The keys, where they are compared."""
        return StagedKeys(self.ledger, self.writing, self.table.name, self.keys)

    def stage(self) -> int | None:
        """Brings the keys to the destination, and looks what would be deleted.

        Returns:
            How many keys there are; None: there is no table yet, so nothing to delete.

        Raises:
            TerminalError: as `require_few` and `conditions`.
            FencedError: the writer has been taken over.
        """
        if not self.ledger.is_there(self.table.name):
            return None
        self._add_mark()
        self.staged.make()
        with self._fenced():
            staged = self.staged.fill()
        self.staged.index()
        where, values = self._selected()
        rows = self._count(where, values)
        gone = self._count(f"{where} and {self.staged.gone}", values)
        require_few(self.table, keys=self.keys.rows, rows=rows, gone=gone)
        return staged

    def apply(self, staged: int | None) -> Gone:
        """Marks or removes what is gone, by the keys that were staged.

        None were where the load has made the table, from these same rows.

        Raises:
            FencedError: the writer has been taken over.
            TransientError: they are not all there any more.
        """
        self._add_mark()
        with self._fenced():
            done = Gone() if staged is None else self._compared(staged)
            self._note()
        self.staged.drop()
        return done

    def _compared(self, staged: int) -> Gone:
        self.staged.require_all(staged)
        return self._mark() if self._is_soft else self._remove()

    def _remove(self) -> Gone:
        where, values = self._selected()
        where = f"{where} and {self.staged.gone}"
        gone = self._count(where, values)
        self._run(f"delete from {self._target} where {where}", *values)  # noqa: S608
        return Gone(deleted=gone)

    def _mark(self) -> Gone:
        mark, update = self._column(DELETED_AT), f"update {self._target} set"
        back = f"{mark} is not null and {self.staged.there}"
        restored = self._count(back, [])
        self._run(f"{update} {mark} = null where {back}")
        where, values = self._selected()
        where = f"{where} and {self.staged.gone}"
        gone = self._count(where, values)
        now = clock.now()
        at = now if self.writing.holds.zones else now.replace(tzinfo=None)
        self._run(f"{update} {mark} = %s where {where}", at, *values)
        return Gone(deleted=gone, restored=restored)

    def _note(self) -> None:
        noted, writer = self.ledger.name(COMPARED_TABLE), self.ledger.writer
        place = (writer.pipeline, self.table.name)
        self._run(f"delete from {noted} where pipeline = %s and table_name = %s", *place)  # noqa: S608
        self._run(
            f"insert into {noted} (pipeline, table_name, compared_at) values (%s, %s, %s)",  # noqa: S608
            *place,
            int(clock.now().timestamp()),
        )

    def _add_mark(self) -> None:
        columns = self.ledger.client.get_storage_table(self.table.name)[1]
        if self._is_soft and columns and DELETED_AT not in columns:
            mark = f"{self._column(DELETED_AT)} {self.writing.time_type}"
            self._run(f"alter table {self._target} add column {mark}")

    @property
    def _is_soft(self) -> bool:
        return self.table.config.deletes == "soft"

    def _selected(self) -> tuple[str, list[Any]]:
        """Rows of the table that lie in what the load selects, and are not marked already."""
        found = list(conditions(self._sql, self.table, self.writing.holds))
        words = [words for words, _ in found]
        words += [f"{self._column(DELETED_AT)} is null"] if self._is_soft else []
        return " and ".join(["1 = 1", *words]), [one for _, values in found for one in values]

    def _count(self, where: str, values: Sequence[Any]) -> int:
        found = self._run(f"select count(*) from {self._target} where {where}", *values)  # noqa: S608
        return int(found[0][0])

    @property
    def _target(self) -> str:
        return self.ledger.name(self.table.name)

    @property
    def _sql(self) -> Any:
        return self.ledger.client.sql_client

    def _column(self, name: str) -> str:
        return str(self._sql.escape_column_name(name))

    def _run(self, statement: str, *values: Any) -> Any:
        return self._sql.execute_sql(statement, *values)

    @contextmanager
    def _fenced(self) -> Iterator[None]:
        with self._sql.begin_transaction():
            require_current(self._sql, self.ledger.writer, self.ledger.row_lock)
            yield
