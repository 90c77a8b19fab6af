"""Load jobs: one file into its table, in one transaction, without a change to any value.

A file of text is read by the columns' own types. Where a table has kept a narrower type than the
source has now, PostgreSQL would round or cut without a word: such rows go by a temporary table,
and are refused when one of them would not come out as it went in.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlt.common.destination.client import HasFollowupJobs, RunnableLoadJob

from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.copy_files import SUFFIX, CopyColumn, read_header
from etlfabric_core.extract_load.copy_text import FORMAT, blocks
from etlfabric_core.extract_load.destinations.postgres.tables import COLUMNS
from etlfabric_core.extract_load.fast_path import other_types
from etlfabric_core.extract_load.source_table import TYPE_HINT

COPY_BYTES = 1 << 18
# Within a family PostgreSQL turns one type into another by rounding or cutting.
FAMILIES = (
    ("smallint", "integer", "bigint", "numeric", "real", "double precision"),
    ("date", "timestamp"),
    ("time ", "time("),
    ("interval",),
    ("character", "text"),
)
HOLDS_ANYTHING = ("text", "character varying")


class CopyJob(RunnableLoadJob, HasFollowupJobs):  # type: ignore[misc]
    """Copies one Parquet file into its table."""

    def run(self) -> None:
        from pyarrow.parquet import ParquetFile

        with ParquetFile(self._file_path) as file:
            names = file.schema_arrow.names
            self._copy(names, FORMAT, _Stream(_blocks(file)))

    def _copy(self, names: Sequence[str], options: str, stream: Any) -> None:
        sql_client = self._job_client.sql_client
        columns = ", ".join(map(sql_client.escape_column_name, names))
        table = sql_client.make_qualified_table_name(self.load_table_name)
        with (
            sql_client.begin_transaction(),
            sql_client.native_connection.cursor() as cursor,
        ):
            entrance = self._entrance(cursor, table)
            cursor.copy_expert(
                f"COPY {entrance} ({columns}) FROM STDIN ({options})", stream, size=COPY_BYTES
            )
            rows = cursor.rowcount
            if entrance != table:
                self._pass_on(cursor, table, columns)
        self._job_client.guard.count(self.load_table_name, rows)

    def _entrance(self, cursor: Any, table: str) -> str:
        """The table that the rows come into: their own, or one that has the source's types."""
        self._narrowed = self._narrowed_columns(cursor, table)
        if not self._narrowed:
            return table
        cursor.execute(f"CREATE TEMP TABLE {ENTRANCE} (LIKE {table}) ON COMMIT DROP")
        for name, (given, _) in self._narrowed.items():
            cursor.execute(f"ALTER TABLE {ENTRANCE} ALTER {self._quoted(name)} TYPE {given}")
        return ENTRANCE

    def _narrowed_columns(self, cursor: Any, table: str) -> dict[str, tuple[str, list[str]]]:
        """Columns whose type, here or in the table behind this one, may hold less: both types."""
        sql_client = self._job_client.sql_client
        with sql_client.with_alternative_dataset_name(self._job_client.guard.writer.dataset):
            behind = sql_client.make_qualified_table_name(self.load_table_name)
        found: list[Mapping[str, str]] = []
        for place in {table: None, behind: None}:
            cursor.execute(COLUMNS, [place])
            found.append(dict(cursor.fetchall()))
        narrowed = {}
        for name, column in self._load_table["columns"].items():
            given = column.get(TYPE_HINT)
            kept = [types[name] for types in found if given and name in types]
            if any(may_lose(given, type_) for type_ in kept):
                narrowed[name] = (given, kept)
        return narrowed

    def _pass_on(self, cursor: Any, table: str, columns: str) -> None:
        """From the temporary table into the own one, if every value comes out as it went in."""
        for name, (given, kept) in self._narrowed.items():
            column = self._quoted(name)
            there_and_back = column + "".join(f"::{type_}" for type_ in kept) + f"::{given}"
            cursor.execute(
                f"SELECT count(*) FROM {ENTRANCE} "  # noqa: S608 (quoted names, types of our own)
                f"WHERE {column} IS DISTINCT FROM {there_and_back}"
            )
            if rows := cursor.fetchone()[0]:
                raise TerminalError(
                    f"table '{self.load_table_name}', column '{name}': {rows} values are {given} "
                    f"at the source and would change in a column of {kept[-1]}",
                    hint=f"give the column at the destination the type {given}",
                )
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {ENTRANCE}"  # noqa: S608
        )

    def _quoted(self, name: str) -> str:
        return str(self._job_client.sql_client.escape_column_name(name))


ENTRANCE = "_etlfabric_entrance"


def may_lose(given: str, kept: str) -> bool:
    """Whether a column of type `kept` may change a value of type `given` without an error."""
    if given == kept or kept in HOLDS_ANYTHING:
        return False
    return any(given.startswith(family) and kept.startswith(family) for family in FAMILIES)


class TextCopyJob(CopyJob):
    """Copies one file of COPY's text format into its table."""

    _format = FORMAT
    _columns: tuple[CopyColumn, ...]

    def run(self) -> None:
        with Path(self._file_path).open("rb") as file:
            self._columns = read_header(file).columns
            self._copy([column.name for column in self._columns], self._format, file)


class BinaryCopyJob(TextCopyJob):
    """Copies one file of PostgreSQL's binary format into its table."""

    _format = "FORMAT BINARY"

    def _entrance(self, cursor: Any, table: str) -> str:
        """The table keeps its types until the commit, and they are those of the file.

        Of two types with values of the same length one would be taken for the other.
        """
        cursor.execute(f"LOCK TABLE {table} IN ROW EXCLUSIVE MODE")
        cursor.execute(COLUMNS, [table])
        if changed := other_types(self._columns, dict(cursor.fetchall())):
            raise TransientError(
                f"table '{self.load_table_name}': columns {', '.join(changed)} got another type "
                "while the load ran",
                hint="nothing to do: the next try follows the new type",
            )
        return table


def _of_file(path: str) -> CopyJob:
    with Path(path).open("rb") as file:
        is_text = read_header(file).is_text
    return TextCopyJob(path) if is_text else BinaryCopyJob(path)


JOBS: dict[str, Callable[[str], CopyJob]] = {".parquet": CopyJob, SUFFIX: _of_file}


def _blocks(file: Any) -> Iterator[memoryview]:
    for batch in file.iter_batches():
        yield from blocks(batch)


class _Stream:
    """Blocks of bytes as the file that psycopg2 reads from."""

    def __init__(self, blocks: Iterator[memoryview]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = memoryview(next(self._blocks, memoryview(b"")))
        data, self._rest = self._rest[:size], self._rest[size:]
        return bytes(data)
