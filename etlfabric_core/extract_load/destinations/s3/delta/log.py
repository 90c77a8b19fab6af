"""The log of a Delta table: copied from the bucket, read by deltalake, and written to the bucket.

deltalake's own way to a bucket looks names up itself and would leave the checked addresses, so it
only ever sees a folder of this machine, in which there is no file of rows.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.s3.delta.actions import Action
from etlfabric_core.extract_load.destinations.s3.delta.snapshot import Snapshot
from etlfabric_core.extract_load.destinations.s3.mirror import Mirror

LOG = "_delta_log"
COMMIT = re.compile(r"\d{20}\.json")
CHECKPOINT = re.compile(r"\d{20}\.checkpoint\.parquet")
MOST_BYTES = 512 << 20  # of what follows the newest checkpoint, and of that


@dataclass(frozen=True)
class DeltaLog:
    """The log of one table, with its copy below `folder`. `app_id` is the pipeline there."""

    mirror: Mirror
    table: str
    folder: Path
    app_id: str

    def snapshot(self) -> Snapshot:
        """The table as it is now.

        Raises:
            TerminalError: its log cannot be read, or loads cannot write such a table.
            TransientError: the bucket does not answer.
        """
        self._bring()
        if not any(self._copy.iterdir()):
            return Snapshot()
        return Snapshot.of(self._opened(), self.table, self.app_id)

    def commit(self, version: int, actions: Sequence[Action], names: set[str]) -> bool:
        """Makes a version, after which the table consists of these files; False: it is there.

        Raises:
            TerminalError: deltalake would read something else out of the actions.
            TerminalError, TransientError: the bucket cannot be written.
        """
        name = f"{version:020}.json"
        body = "\n".join(map(json.dumps, actions)).encode()
        copy, written = self._copy / name, False
        copy.write_bytes(body)
        try:
            if {*Snapshot.of(self._opened(), self.table, self.app_id).files} != names:
                raise self._unreadable()
            written = self.mirror.write_new(f"{self.table}/{LOG}/{name}", body)
        finally:
            if not written:
                copy.unlink()
        return written

    def checkpoint(self) -> set[str]:
        """Sums the log up, so that readers need not go through all of it.

        Returns:
            The files that left the table and are kept for readers of former versions.
        """
        from pyarrow.parquet import read_table

        opened = self._opened()
        opened.create_checkpoint()
        name = f"{opened.version():020}.checkpoint.parquet"
        for written in (name, "_last_checkpoint"):
            self.mirror.upload(self.folder, f"{self.table}/{LOG}/{written}")
        removed = read_table(self._copy / name, columns=["remove"]).column("remove")
        return {entry["path"] for entry in removed.to_pylist() if entry and entry["path"]}

    @property
    def _copy(self) -> Path:
        return self.folder / self.table / LOG

    def _bring(self) -> None:
        """Copies what is new, of the newest checkpoint and the commits that follow it."""
        place = f"{self.table}/{LOG}"
        found = {self.mirror.name_of(one, place): one for one in self.mirror.entries(place)}
        newest = max(filter(CHECKPOINT.fullmatch, found), default="")
        needed = [
            name
            for name in sorted(found)
            if name == newest or (COMMIT.fullmatch(name) and name > newest)
        ]
        if sum(found[name].size for name in needed) > MOST_BYTES:
            raise TerminalError(
                f"table '{self.table}': its log has more than {MOST_BYTES >> 20} MiB since the "
                "last checkpoint",
                hint="let a program that maintains Delta tables write a checkpoint",
            )
        self._copy.mkdir(parents=True, exist_ok=True)
        for name in needed:
            copy = self._copy / name
            if not copy.exists():
                copy.write_bytes(found[name].read(0, found[name].size))

    def _opened(self) -> Any:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        try:
            return DeltaTable(str(self.folder / self.table))
        except DeltaError:
            raise self._unreadable() from None

    def _unreadable(self) -> TerminalError:
        return TerminalError(
            f"table '{self.table}': its Delta log cannot be read as it is",
            hint="look who else writes to the table, or load into a new dataset",
        )
