"""Loads into `<prefix>/<dataset>/<table>/<load id>.<file id>.parquet` of a bucket.

Files come first, then those that they replace go, and the mark that makes the load count is last.
For a moment readers of a replaced table see both.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.s3.mirror import SCHEMAS, STATES, Mirror
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
from etlfabric_core.graph.resources import ResourceConfig

INIT = "init"  # where dlt says which version of its layout this is


@dataclass(frozen=True)
class S3Destination:
    """What a load asks, answered from the names of objects."""

    mirror: Mirror
    folder: Path

    @property
    def writer(self) -> Writer:
        """Who writes."""
        return self.mirror.writer

    @property
    def holds(self) -> Holds:
        """What Parquet does."""
        return Holds(digits=38)

    def remove_orphans(self) -> int:
        """Removes the files of unfinished loads, and where they would have gone on from.

        Returns:
            How many files it were: their rows are not looked at.
        """
        complete = self.mirror.completed()
        removed = 0
        for table in self.mirror.appended:
            for name in list(self.mirror.names(table)):
                if _load_of(name) not in complete:
                    self.mirror.remove(f"{table}/{name}")
                    removed += 1
        beginning = f"{self.writer.pipeline}__"
        for name in list(self.mirror.names(STATES, beginning)):
            if name.split("__")[-2] not in complete:
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
        """Files bind no later file: a table is always as new."""
        return {}

    def on_its_path(self, table: PlannedTable, folder: Path) -> PlannedTable:
        """See `Destination`."""
        return replace(table, holds=self.holds)

    def is_compared(self, resource: ResourceConfig, table: str) -> bool:
        """Files have no keys."""
        return False

    def stage_deletes(self, planned: Sequence[PlannedTable]) -> None:
        """There is nothing to stage."""

    def apply_deletes(self, planned: Sequence[PlannedTable]) -> Mapping[str, Gone]:
        """There is nothing to apply."""
        return {}

    def target_rows(self, table: PlannedTable) -> int:
        """Rows of files are not counted once more: a pipeline that asks for it is not saved."""
        raise NotImplementedError

    def replay_session(self) -> NoReturn:
        """There are none: files keep no rejected rows."""
        raise not_replayed("S3")

    def dlt_destination(self, guard: LoadGuard) -> Any:
        """See `Destination`."""
        from etlfabric_core.extract_load.destinations.s3.client import Passage, PublishingFiles

        return PublishingFiles(Passage(self.folder, self.mirror, guard))

    def dataset_lock(self, lease: LeaseKeeper) -> AbstractContextManager[None]:
        """Pipelines meet in no file."""
        return nullcontext()

    def register(self, load_ids: Sequence[str], appended: Sequence[str]) -> None:
        """See `Destination`."""
        self.mirror.note_appended(list(appended))

    def completed(self, load_ids: Sequence[str]) -> bool:
        """See `Destination`."""
        return set(load_ids) <= self.mirror.completed()


def _load_of(name: str) -> str:
    """`<load_id>.<file_id>.parquet`; a load's id is a time with a fraction."""
    return ".".join(name.split(".")[:2])


@contextmanager
def open_destination(plan: LoadPlan, lease: LeaseKeeper) -> Iterator[S3Destination]:
    """Takes the pipeline of a load over.

    Raises:
        TerminalError: it is a backfill, which files cannot take the older rows of.
        FencedError: a newer try is already there.
        InvalidConfig, TerminalError, TransientError: the bucket cannot be used.
    """
    if plan.window is not None:
        raise TerminalError(
            "a backfill replaces rows of a table, and files cannot give up some of their rows",
            hint="replace the table as a whole, or load into a database",
        )
    mirror = Mirror.of(plan.destination, Writer(plan.pipeline, plan.dataset, lease.epoch))
    mirror.take_over()
    with TemporaryDirectory(prefix="etlfabric-files-") as folder:
        yield S3Destination(mirror, Path(folder) / plan.dataset)
