"""Deletes at the source, found by comparing keys: rows are marked or removed at the destination.

Keys are compared before the load, so that a source that gives too few changes nothing, and rows
are marked or removed after it, in one fenced transaction per table. A load that was interrupted in
between compares again: the rows end the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from etlfabric_core.extract_load.contract import normal_name
from etlfabric_core.extract_load.copy_text import blocks
from etlfabric_core.extract_load.destinations.comparing import loaded_filters, require_few
from etlfabric_core.extract_load.destinations.postgres.fencing import (
    COMPARED_TABLE,
    WriterSession,
    qualified,
)
from etlfabric_core.extract_load.destinations.postgres.tables import present
from etlfabric_core.extract_load.destinations.writer import Gone
from etlfabric_core.extract_load.evidence import KeySet
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.extract_load.sources.postgres_query import (
    Relation,
    filter_conditions,
)
from etlfabric_core.graph.resources import DELETED_AT, ResourceConfig

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

IN_UTC = "set local time zone 'UTC'"  # in which times without a zone are compared


def is_due(session: WriterSession, resource: ResourceConfig, table: str) -> bool:
    """Whether the keys of a table are to be compared in this load."""
    if resource.deletes == "none":
        return False
    found = session.connection.execute(
        "select compared_at + make_interval(hours => %s) > now() from "  # noqa: S608
        f"{qualified(session.writer, COMPARED_TABLE)} where pipeline = %s and table_name = %s",
        [resource.deletes_every, session.writer.pipeline, table],
    )
    return found.fetchone() != (True,)


def stage(session: WriterSession, tables: Sequence[PlannedTable]) -> None:
    """Brings the keys to the destination, and looks what would be deleted.

    Raises:
        TerminalError: the source has no keys at all, or more rows than `max_deleted` allows
            would be deleted.
        FencedError: the writer has been taken over.
    """
    for one in _compared(session, tables):
        with session.fenced() as cursor:
            one.stage(cursor)


def apply(session: WriterSession, tables: Sequence[PlannedTable]) -> dict[str, Gone]:
    """Marks or removes what is gone, by the keys that were staged.

    Raises:
        FencedError: the writer has been taken over.
    """
    done = {}
    for one in _compared(session, tables):
        with session.fenced() as cursor:
            done[one.table.name] = one.apply(cursor)
            cursor.execute(
                f"insert into {qualified(session.writer, COMPARED_TABLE)} values (%s, %s, now()) "  # noqa: S608
                "on conflict (pipeline, table_name) do update set compared_at = now()",
                [session.writer.pipeline, one.table.name],
            )
    return done


def _compared(session: WriterSession, tables: Sequence[PlannedTable]) -> "Iterator[_Comparison]":
    for number, table in enumerate(tables):
        if table.keys is not None:
            there = present(session, table.name)
            yield _Comparison(table, table.keys, session.writer.dataset, number, bool(there))


@dataclass(frozen=True)
class _Comparison:
    table: PlannedTable
    keys: KeySet
    dataset: str
    number: int
    is_there: bool

    @property
    def _is_soft(self) -> bool:
        return self.table.config.deletes == "soft"

    def stage(self, cursor: "psycopg.Cursor") -> None:
        from psycopg import sql

        if not self.is_there:
            return
        cursor.execute(IN_UTC)
        self._add_mark(cursor)
        made = sql.SQL("create temp table {} as select {} from {} with no data")
        cursor.execute(made.format(self._staged, self._names, self._target))
        copied = sql.SQL("copy {} ({}) from stdin").format(self._staged, self._names)
        with cursor.copy(copied) as copy:
            for batch in self.keys.batches():
                for block in blocks(batch):
                    copy.write(block)
        cursor.execute(sql.SQL("analyze {}").format(self._staged))
        self._require_few(cursor)

    def _require_few(self, cursor: "psycopg.Cursor") -> None:
        from psycopg import sql

        # As a condition PostgreSQL joins the keys; anywhere else it looks through all of them for
        # each row, once they are more than fit into work_mem.
        counted = sql.SQL(
            "select (select count(*) from {0} as t where {1}), "
            "(select count(*) from {0} as t where {1} and {2})"
        )
        cursor.execute(counted.format(self._target, self._selected, self._is_gone))
        rows, gone = cursor.fetchone() or (0, 0)
        require_few(self.table, keys=self.keys.rows, rows=rows, gone=gone)

    def apply(self, cursor: "psycopg.Cursor") -> Gone:
        from psycopg import sql

        cursor.execute(IN_UTC)
        self._add_mark(cursor)
        if not self._was_staged(cursor):
            return Gone()  # the load made the table, from these same rows
        if not self._is_soft:
            removed = sql.SQL("delete from {} as t where {} and {}")
            cursor.execute(removed.format(self._target, self._selected, self._is_gone))
            return Gone(deleted=cursor.rowcount)
        mark = sql.Identifier(DELETED_AT)
        back = sql.SQL("update {} as t set {} = null where {} is not null and {}")
        cursor.execute(back.format(self._target, mark, mark, self._is_known))
        restored = cursor.rowcount
        marked = sql.SQL("update {} as t set {} = now() where {} and {}")
        cursor.execute(marked.format(self._target, mark, self._selected, self._is_gone))
        return Gone(deleted=cursor.rowcount, restored=restored)

    def _was_staged(self, cursor: "psycopg.Cursor") -> bool:
        cursor.execute("select to_regclass(%s) is not null", [f"pg_temp.{_staged_name(self)}"])
        return cursor.fetchone() == (True,)

    def _add_mark(self, cursor: "psycopg.Cursor") -> None:
        from psycopg import sql

        if self._is_soft:
            added = sql.SQL("alter table {} add column if not exists {} timestamptz")
            cursor.execute(added.format(self._target, sql.Identifier(DELETED_AT)))

    @property
    def _target(self) -> "sql.Identifier":
        from psycopg import sql

        return sql.Identifier(self.dataset, self.table.name)

    @property
    def _staged(self) -> "sql.Identifier":
        from psycopg import sql

        return sql.Identifier("pg_temp", _staged_name(self))

    @property
    def _key(self) -> "list[sql.Identifier]":
        from psycopg import sql

        return [sql.Identifier(normal_name(column.name)) for column in self.keys.columns]

    @property
    def _names(self) -> "sql.Composed":
        from psycopg import sql

        return sql.SQL(", ").join(self._key)

    @property
    def _is_known(self) -> "sql.Composed":
        """Whether the source has the key of a row t of the table."""
        from psycopg import sql

        equal = [sql.SQL("k.{} = t.{}").format(name, name) for name in self._key]
        known = sql.SQL("exists (select from {} as k where {})")
        return known.format(self._staged, sql.SQL(" and ").join(equal))

    @property
    def _is_gone(self) -> "sql.Composed":
        from psycopg import sql

        return sql.SQL("not {}").format(self._is_known)

    @property
    def _selected(self) -> "sql.Composed":
        """Rows of the table that lie in what the load selects, and are not marked already."""
        from psycopg import sql

        columns = tuple(
            replace(column, name=normal_name(column.name)) for column in self.table.columns
        )
        relation = Relation(self.table.config.name, self.dataset, self.table.name, columns)
        filters = tuple(loaded_filters(self.table.config))
        conditions = list(filter_conditions(relation, filters))
        if self.table.window and self.table.cursor:
            name, window = sql.Identifier(normal_name(self.table.cursor.name)), self.table.window
            inside = sql.SQL("{0}::timestamptz >= {1} and {0}::timestamptz < {2}")
            conditions.append(inside.format(name, window.start, window.end))
        if self._is_soft:
            conditions.append(sql.SQL("{} is null").format(sql.Identifier(DELETED_AT)))
        return sql.SQL(" and ").join([sql.SQL("true").format(), *conditions])


def _staged_name(comparison: _Comparison) -> str:
    return f"etlfabric_keys_{comparison.number}"
