"""Merges into a Delta table: a file that holds a key that comes is written anew without that row.

DuckDB says which rows these are, one file after the other; the others are copied as they are.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations import keys
from etlfabric_core.extract_load.destinations.s3.delta.snapshot import DataFile
from etlfabric_core.extract_load.destinations.s3.files import KEPT, load_of
from etlfabric_core.extract_load.destinations.s3.mirror import Mirror

# It reads files that we name, and nothing that a file could name.
LIMITS = {
    "memory_limit": "512MB",
    "threads": "2",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
BLOCK = 8 << 20  # bytes of a file in memory while it is brought
BATCH = 65_536  # rows in memory while they are copied


@dataclass(frozen=True)
class Merge:
    """Rows that come to a table, and what becomes of the files that are there.

    `seen` keeps what was made of a file, in case that another writer's commit comes first.
    """

    mirror: Mirror
    table: str
    keys: Sequence[str]
    files: Sequence[Path]
    folder: Path
    seen: dict[str, tuple[str, DataFile] | None] = field(default_factory=dict)

    def require_keys(self) -> None:
        """Checks that every row that comes has a key of its own.

        Raises:
            TerminalError: one has none, or shares it.
        """
        names = ", ".join(map(_quoted, self.keys))
        empty = " or ".join(f"{_quoted(key)} is null" for key in self.keys)
        rows = self._ask(f"select count(*) from read_parquet($new) where {empty}")[0][0]  # noqa: S608
        if rows:
            raise keys.without_value(self.table, self.keys, rows)
        count, rows = self._ask(
            "select count(*), coalesce(sum(n), 0) from (select count(*) as n "  # noqa: S608
            f"from read_parquet($new) group by {names} having count(*) > 1)"
        )[0]
        if count:
            raise keys.not_unique(self.table, self.keys, int(rows), count)

    def rewritten(
        self, there: Mapping[str, DataFile]
    ) -> tuple[dict[str, DataFile], dict[str, DataFile]]:
        """The files that go, and those that come with the rows of theirs that stay.

        Raises:
            TerminalError: somebody else wrote one, so its values may be of other types.
        """
        gone: dict[str, DataFile] = {}
        come: dict[str, DataFile] = {}
        for name, file in there.items():
            if load_of(name, self.mirror.writer.pipeline) is None:
                raise TerminalError(
                    f"table '{self.table}' has files of another writer, which a merge would write "
                    "anew",
                    hint="append to it, or load into a new dataset",
                )
            if name not in self.seen:
                self.seen[name] = self._rewritten(name)
            if (made := self.seen[name]) is not None:
                gone[name] = file
                if made[1].rows:
                    come[made[0]] = made[1]
        return gone, come

    def _rewritten(self, name: str) -> tuple[str, DataFile] | None:
        """The new name and what lies there; None: no row of the file leaves it."""
        old, new = self.folder / "old.parquet", self.folder / "new.parquet"
        (entry,) = self.mirror.entries(self.table, name)
        with entry.open("rb") as source, old.open("wb") as target:
            shutil.copyfileobj(source, target, BLOCK)
        same = " and ".join(f"new.{_quoted(key)} = old.{_quoted(key)}" for key in self.keys)
        leaving = self._ask(
            "select file_row_number from read_parquet($old, file_row_number = true) as old "  # noqa: S608
            f"semi join read_parquet($new) as new on {same}",
            old=str(old),
        )
        if not leaving:
            return None
        rows = _copied(old, new, {row[0] for row in leaving})
        pipeline = self.mirror.writer.pipeline
        load = load_of(name, pipeline)
        renamed = f"{pipeline}.{load}.{uuid4().hex}{KEPT}"  # its rows are still that load's
        if rows:
            with new.open("rb") as body:
                self.mirror.write(f"{self.table}/{renamed}", body)
        return renamed, DataFile(new.stat().st_size, rows)

    def _ask(self, query: str, **given: str) -> list[tuple[Any, ...]]:
        import duckdb

        config = {**LIMITS, "temp_directory": str(self.folder / "spilled")}
        with duckdb.connect(":memory:", config=config) as connection:
            connection.execute("set TimeZone = 'UTC'")
            parameters = {"new": [str(file) for file in self.files], **given}
            found: list[tuple[Any, ...]] = connection.execute(query, parameters).fetchall()
            return found


def _copied(old: Path, new: Path, leaving: set[int]) -> int:
    """Copies the rows that stay, in their types; returns how many they are."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile, ParquetWriter

    place = rows = 0
    with ParquetFile(old) as source, ParquetWriter(new, source.schema_arrow) as target:
        for batch in source.iter_batches(BATCH):
            stays = [place + row not in leaving for row in range(batch.num_rows)]
            place += batch.num_rows
            kept = batch.filter(pa.array(stays, pa.bool_()))
            target.write_batch(kept)
            rows += kept.num_rows
    return rows


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
