"""Loads that did not finish: which they are, and their rows taken out again.

A load writes its id to `_etlfabric_load` before its first row, and the transaction that completes
it takes the id out again. So what is found there at the start of a load was interrupted, and only
this pipeline's rows of exactly these loads are touched.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etlfabric_core.extract_load.destinations.postgres.fencing import (
    LOAD_TABLE,
    WriterSession,
    qualified,
)
from etlfabric_core.extract_load.destinations.writer import Writer

if TYPE_CHECKING:
    import psycopg


def register(session: WriterSession, load_ids: Sequence[str], appended: Sequence[str]) -> None:
    """Remembers loads that are about to begin, and the tables they append to.

    Tables that are merged into or replaced need no cleaning: doing it again gives the same rows,
    while taking the rows out would show a hole until then.
    """
    with session.fenced() as cursor:
        for load_id in load_ids:
            cursor.execute(
                f"insert into {qualified(session.writer, LOAD_TABLE)} values (%s, %s, %s)",  # noqa: S608
                [session.writer.pipeline, load_id, list(appended)],
            )


def forget_query(writer: Writer) -> str:
    """Takes a completed load out: parameters pipeline, load_id."""
    return f"delete from {qualified(writer, LOAD_TABLE)} where pipeline = %s and load_id = %s"  # noqa: S608


def remove_orphans(session: WriterSession) -> int:
    """Takes out the rows of this pipeline's unfinished loads; returns how many there were."""
    removed = 0
    with session.fenced() as cursor:
        cursor.execute(
            f"select load_id, tables from {qualified(session.writer, LOAD_TABLE)} "  # noqa: S608
            "where pipeline = %s",
            [session.writer.pipeline],
        )
        for load_id, tables in cursor.fetchall():
            removed += sum(_remove(cursor, session.writer, table, load_id) for table in tables)
            cursor.execute(forget_query(session.writer), [session.writer.pipeline, load_id])
    return removed


def _remove(cursor: "psycopg.Cursor", writer: Writer, table: str, load_id: str) -> int:
    name = qualified(writer, table)
    cursor.execute("select to_regclass(%s)", [name])
    if cursor.fetchone() == (None,):
        return 0
    cursor.execute(f"delete from {name} where _dlt_load_id = %s", [load_id])  # noqa: S608
    return cursor.rowcount


def completed(session: WriterSession, load_ids: Sequence[str]) -> bool:
    """Whether the destination itself says that all these loads are complete."""
    rows = session.connection.execute(
        f"select count(*) from {qualified(session.writer, '_dlt_loads')} "  # noqa: S608
        "where load_id = any (%s) and status = 0",
        [list(load_ids)],
    ).fetchone()
    return rows == (len(load_ids),)
