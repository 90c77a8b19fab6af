"""Tables whose files are those that a Delta log names, which grows by one commit at a time.

A commit is an object that is written only if its number is still free. It says which try of which
pipeline wrote it, so an older try finds itself overtaken in the very place where it would write.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from tempfile import TemporaryDirectory

from etlfabric_core import clock
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.contract import normal_name
from etlfabric_core.extract_load.destinations.s3.delta.actions import Commit
from etlfabric_core.extract_load.destinations.s3.delta.columns import (
    columns_of,
    joined,
    no_room,
    word,
)
from etlfabric_core.extract_load.destinations.s3.delta.log import DeltaLog
from etlfabric_core.extract_load.destinations.s3.delta.merging import Merge
from etlfabric_core.extract_load.destinations.s3.delta.snapshot import DataFile, Snapshot
from etlfabric_core.extract_load.destinations.s3.files import KEPT, Arrival, load_of, rows_of
from etlfabric_core.extract_load.destinations.s3.mirror import Mirror
from etlfabric_core.extract_load.destinations.writer import FencedError
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.extract_load.typed import Holds, typed

TRIES = 20  # to be the next of several writers
COMMITS_BETWEEN = 10  # checkpoints
KEPT_SECONDS = 7 * 24 * 3600  # files that no version of that time names

Files = Mapping[str, DataFile]
Changed = Callable[[Files], tuple[Files, Files]]  # of those there: which go, what comes instead


@dataclass(frozen=True)
class DeltaTables:
    """Delta tables of one dataset; copies of their logs lie in `folder`."""

    mirror: Mirror
    folder: Path
    holds: Holds
    complete: set[str]

    def types(self, table: str) -> Mapping[str, str]:
        """See `Tables`."""
        fields = self.log(table).snapshot().fields
        return {str(one["name"]): word(one["type"]) for one in fields}

    def require_fit(self, table: PlannedTable) -> None:
        """See `Tables`."""
        there = self.types(table.name)
        if not there:
            self._require_no_plain_files(table.name)
        for column in table.columns:
            given, kept = typed(column, self.holds).word, there.get(normal_name(column.name))
            if kept is not None and kept != given:
                raise no_room(table.name, column.name, kept, given)

    def take_out(self, table: str) -> int:
        """See `Tables`."""
        removed = self._commit(table, {}, (), partial(self._going, False))
        return sum(file.rows or 0 for file in removed.values())

    def show(self, table: str, arrival: Arrival) -> None:
        """See `Tables`. One commit brings the new files and takes out those that go."""
        from pyarrow.parquet import read_metadata

        columns = [columns_of(file) for file in arrival.files]
        new: dict[str, DataFile] = {}
        for file in arrival.files:
            if rows := int(read_metadata(file).num_rows):
                new[file.name] = DataFile(file.stat().st_size, rows)
        if not (arrival.keys and new):
            going = partial(self._going, arrival.replaces)
            self._commit(table, new, columns, going)
            return
        with TemporaryDirectory(prefix="etlfabric-merge-") as folder:
            merge = Merge(self.mirror, table, arrival.keys, arrival.files, Path(folder))
            merge.require_keys()
            self._commit(table, new, columns, merge.rewritten)

    def rows(self, table: str, beginning: str = "") -> int:
        """See `Tables`. Where the log names files, they are opened, not believed."""
        named = self.log(table).snapshot().files
        entries = self.mirror.entries(table, beginning)
        found = {self.mirror.name_of(one, table): one for one in entries}
        wanted = [name for name in named if name.startswith(beginning)]
        if missing := [name for name in wanted if name not in found]:
            raise TerminalError(
                f"table '{table}': its log names {len(missing)} files that are not there",
                hint="look who removes files, then load into a new dataset",
            )
        return sum(rows_of(found[name]) for name in wanted)

    def _commit(
        self, table: str, new: Files, columns: Sequence[Mapping[str, str]], changed: Changed
    ) -> Mapping[str, DataFile]:
        """Commits what is not there yet; returns the files that it took out."""
        log, writer = self.log(table), self.mirror.writer
        for _ in range(TRIES):
            there = log.snapshot()
            if there.epoch is not None and there.epoch > writer.epoch:
                raise FencedError
            coming = {name: file for name, file in new.items() if name not in there.files}
            removed, instead = changed({k: v for k, v in there.files.items() if k not in new})
            fields = reduce(partial(joined, table), columns, there.fields)
            commit = Commit(fields=fields, added={**coming, **instead}, removed=removed)
            if commit.is_empty(there):
                return {}
            stamp = round(clock.now().timestamp() * 1000)
            actions = list(commit.actions(there, log.app_id, writer.epoch, stamp))
            version = there.version + 1
            if log.commit(version, actions, commit.names(there)):
                if version and version % COMMITS_BETWEEN == 0:
                    self._sum_up(table, log)
                return commit.removed
        raise TransientError(
            f"table '{table}': others write to it all the time",
            hint="the next try begins anew; look who else writes to the table",
        )

    def _going(self, replaces: bool, there: Files) -> tuple[Files, Files]:
        """What leaves a table that is not merged into; nothing comes instead."""
        return {k: v for k, v in there.items() if replaces or self._is_orphan(k)}, {}

    def _is_orphan(self, name: str) -> bool:
        """What an unfinished load appended. Merges and replaces are done again, not undone."""
        return self._is_unfinished(name) and not name.endswith(KEPT)

    def _is_unfinished(self, name: str) -> bool:
        load = load_of(name, self.mirror.writer.pipeline)
        return load is not None and load not in self.complete

    def _sum_up(self, table: str, log: DeltaLog) -> None:
        """Writes a checkpoint, and removes files of ours that no version of a week names."""
        there: Snapshot = log.snapshot()
        kept = {*there.files, *log.checkpoint()}
        oldest = clock.now().timestamp() - KEPT_SECONDS
        for name in list(self.mirror.names(table)):
            load = load_of(name, self.mirror.writer.pipeline)
            if load is not None and name not in kept and float(load) < oldest:
                self.mirror.remove(f"{table}/{name}")

    def _require_no_plain_files(self, table: str) -> None:
        """Checks that no file is here, which no log names, but those of loads that were cut off."""
        for name in self.mirror.names(table):
            if name.endswith(".parquet") and not self._is_unfinished(name):
                raise TerminalError(
                    f"table '{table}' is plain Parquet files there, which a Delta table would "
                    "leave out",
                    hint="set table_format of the connection to parquet, or load into a new "
                    "dataset",
                )

    def log(self, table: str) -> DeltaLog:
        return DeltaLog(self.mirror, table, self.folder, f"etlfabric/{self.mirror.writer.pipeline}")
