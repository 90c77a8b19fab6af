"""Loads into `<prefix>/<dataset>/<table>/<pipeline>.<load id>.<file id>.parquet` of a bucket.

`table_format` of the connection says what a table is. **parquet**: all files of its folder. Files
come first, then those that they replace go, and the mark that makes the load count is last: for a
moment readers of a replaced table see both, and of a load that was killed they may see rows until
the next one takes them out.

**delta**: the files that the table's Delta log names. A load changes each of its tables in one
commit, so readers see the table before it or after it; what a killed load appended leaves, and its
rows come back, in commits of the next one; what it replaced or merged is done again. A merge brings
every file of the table over, one after the other, and writes those anew that hold a key that comes;
only files of the pipeline itself are merged into. A commit says which try of the pipeline made it,
and is only written where its number is free, so an older try that still runs cannot commit after a
newer one has. New columns are added; a column of another type fails the load before it reads a
row. Every tenth commit brings a checkpoint, and takes away files that no version of the last week
names; the log itself stays as it is. It takes the extra `etlfabric[delta]` and a storage that
honours `If-None-Match`, which is checked; tables with partitions, deletion vectors, column mapping
or conditions of columns are left alone. A dataset keeps the format that it began with.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from etlfabric_core.connectors.loading import FILES, Loading
from etlfabric_core.connectors.record import parse
from etlfabric_core.connectors.s3 import S3, S3Config, TableFormat, require_format
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.s3.delta import DeltaTables
from etlfabric_core.extract_load.destinations.s3.files import Tables
from etlfabric_core.extract_load.destinations.s3.mirror import SCHEMAS, STATES, Mirror
from etlfabric_core.extract_load.destinations.s3.plain import PlainTables
from etlfabric_core.extract_load.destinations.writer import (
    Gone,
    LoadGuard,
    Writer,
    not_replayed,
)
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import LoadPlan
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.extract_load.typed import Holds
from etlfabric_core.graph.resources import ResourceConfig, WriteDisposition

HOLDS = Holds(digits=38)
INIT = "init"  # where dlt says which version of its layout this is


@dataclass(frozen=True)
class S3Destination:
    """What a load asks, answered from the names of objects."""

    mirror: Mirror
    folder: Path
    tables: Tables
    loading: Loading

    @property
    def writer(self) -> Writer:
        """Who writes."""
        return self.mirror.writer

    @property
    def holds(self) -> Holds:
        """What Parquet does."""
        return HOLDS

    def remove_orphans(self) -> int:
        """Removes the rows of unfinished loads, and where they would have gone on from."""
        removed = sum(self.tables.take_out(table) for table in self.mirror.appended)
        beginning = f"{self.writer.pipeline}__"
        for name in list(self.mirror.names(STATES, beginning)):
            if name.split("__")[-2] not in self.tables.complete:
                self.mirror.remove(f"{STATES}/{name}")
        self._bring_back()
        return removed

    def _bring_back(self) -> None:
        """What dlt has to know of earlier loads: the newest state and the newest schema."""
        beginning = f"{self.writer.pipeline}__"
        for place in (STATES, SCHEMAS):
            newest = max(
                self.mirror.names(place, beginning),
                key=lambda name: float(name.split("__")[-2]),
                default=None,
            )
            if newest is not None:
                self._download(f"{place}/{newest}")
        self._download(INIT)

    def _download(self, name: str) -> None:
        content = self.mirror.read(name)
        if content is not None:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def present(self, table: str) -> Mapping[str, str]:
        """See `Destination`."""
        return self.tables.types(table)

    def on_its_path(self, table: PlannedTable, folder: Path) -> PlannedTable:
        """See `Destination`.

        Raises:
            TerminalError: a backfill reloads it, and files cannot take the older rows of it.
        """
        if table.window is not None:
            raise TerminalError(
                f"table '{table.name}': a backfill replaces rows of a table, "
                "and files cannot give up some of their rows",
                hint="replace the table as a whole, or load into a database",
            )
        self._require_possible(table.config)
        self.tables.require_fit(table)
        return replace(table, holds=self.holds)

    def _require_possible(self, asked: ResourceConfig) -> None:
        """The format of a connection may have changed since a pipeline was saved."""
        how, strategy = asked.write_disposition, asked.merge_strategy
        is_merged = how is WriteDisposition.MERGE
        possible = self.loading.strategies if is_merged else self.loading.dispositions
        if (strategy if is_merged else how) not in possible:
            raise TerminalError(
                f"table '{asked.name}': its format there cannot {how}",
                hint="set table_format of the connection to what it was, or how the table is "
                "written to another way",
            )

    def is_compared(self, resource: ResourceConfig, table: str) -> bool:
        """Files have no keys."""
        return False

    def stage_deletes(self, planned: Sequence[PlannedTable]) -> None:
        """There is nothing to stage."""

    def apply_deletes(self, planned: Sequence[PlannedTable]) -> Mapping[str, Gone]:
        """There is nothing to apply."""
        return {}

    def target_rows(self, table: PlannedTable) -> int:
        """See `Destination`."""
        return self.tables.rows(table.name)

    def replay_session(self) -> NoReturn:
        """There are none: files keep no rejected rows."""
        raise not_replayed("S3")

    def dlt_destination(self, guard: LoadGuard) -> Any:
        """See `Destination`."""
        from etlfabric_core.extract_load.destinations.s3.client import Passage, PublishingFiles

        return PublishingFiles(Passage(self.folder, self.mirror, self.tables, guard))

    def dataset_lock(self, lease: LeaseKeeper) -> AbstractContextManager[None]:
        """Pipelines meet in no file."""
        return nullcontext()

    def register(self, load_ids: Sequence[str], appended: Sequence[str]) -> None:
        """See `Destination`."""
        self.mirror.note_appended(list(appended))

    def completed(self, load_ids: Sequence[str]) -> bool:
        """See `Destination`."""
        return set(load_ids) <= self.mirror.completed()


@contextmanager
def open_destination(plan: LoadPlan, lease: LeaseKeeper) -> Iterator[S3Destination]:
    """Takes the pipeline of a load over.

    Raises:
        FencedError: a newer try is already there.
        InvalidConfig, TerminalError, TransientError: the bucket cannot be used.
    """
    table_format = parse(S3Config, plan.destination.config).table_format
    require_format(table_format)
    mirror = Mirror.of(plan.destination, Writer(plan.pipeline, plan.dataset, lease.epoch))
    mirror.take_over()
    with TemporaryDirectory(prefix="etlfabric-files-") as folder:
        tables = _tables(table_format, mirror, Path(folder) / "logs")
        loading = S3.loading_of(plan.destination.config) or FILES
        yield S3Destination(mirror, Path(folder) / plan.dataset, tables, loading)


def _tables(table_format: TableFormat, mirror: Mirror, logs: Path) -> Tables:
    if table_format is TableFormat.PARQUET:
        return PlainTables(mirror, mirror.completed())
    mirror.require_write_new()
    return DeltaTables(mirror, logs, HOLDS, mirror.completed())
