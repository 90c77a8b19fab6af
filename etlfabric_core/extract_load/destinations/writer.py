"""Who writes in one load, until when, and what it leaves behind beside rows."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Window

if TYPE_CHECKING:
    from etlfabric_core.extract_load.progress import ProgressMeter
    from etlfabric_core.extract_load.replay.outcomes import Outcomes


@dataclass(frozen=True)
class Writer:
    """Who writes: the pipeline's name, its dataset, and the epoch of this try."""

    pipeline: str
    dataset: str
    epoch: int

    @property
    def application_name(self) -> str:
        """The name of its sessions. Short: PostgreSQL cuts names at 63 bytes."""
        return f"{self.application_prefix}{self.epoch}"

    @property
    def application_prefix(self) -> str:
        """What the sessions of all tries of this pipeline begin with."""
        digest = hashlib.sha256(f"{self.dataset}/{self.pipeline}".encode()).hexdigest()[:16]
        return f"etlfabric/{digest}/"


class FencedError(TransientError):
    """A newer try of the pipeline took over."""

    def __init__(self) -> None:
        super().__init__(
            "a newer try of this pipeline took over; nothing of this one was kept",
            hint="nothing to do: the newer try loads the same rows",
        )


@dataclass(frozen=True)
class LoadGuard:
    """What the clients of one load need: who writes, until when, and what to replace.

    `reloaded` maps tables that are appended to in a backfill to their cursor column: their
    older rows in `window` leave in the transaction that completes the load. So do rejected rows
    that are `replayed` from their quarantine.
    """

    writer: Writer
    lease: LeaseKeeper
    meter: "ProgressMeter"
    window: Window | None
    reloaded: dict[str, str]
    replayed: "tuple[Outcomes, ...]" = ()

    def count(self, table: str, rows: int) -> None:
        """Rows that the server says it has."""
        if not table.startswith("_dlt"):
            self.meter.add("load", table, rows)


@dataclass(frozen=True)
class Gone:
    """Rows of one table: marked or removed by this load, and those whose mark was taken back."""

    deleted: int = 0
    restored: int = 0


def not_replayed(label: str) -> TerminalError:
    """The error at a destination whose rejected rows are kept, and are not loaded again."""
    return TerminalError(
        f"rejected rows that are kept at {label} cannot be replayed",
        hint="correct the configuration, and load the rows from their source",
    )
