"""One table of a run, as it is planned: where its rows come from and how they are written."""

from dataclasses import dataclass
from pathlib import Path

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.evidence import KeySet, RowCount
from etlfabric_core.extract_load.plan import Window
from etlfabric_core.extract_load.replay.rows import Replay
from etlfabric_core.extract_load.shape import is_identity
from etlfabric_core.extract_load.shape.rejected import SUFFIX, Quarantine
from etlfabric_core.extract_load.shape.rows import Shape
from etlfabric_core.extract_load.shape.versions import VERSION_COLUMN
from etlfabric_core.extract_load.source_table import SourceColumn, SourceTable
from etlfabric_core.extract_load.typed import Holds
from etlfabric_core.graph.resources import ResourceConfig, WriteDisposition

RESERVED_PREFIXES = ("_dlt", "_etlfabric")


@dataclass(frozen=True)
class PlannedTable:
    """One resource of this run: where its rows come from and how they are written.

    `cursor` is the column as it is loaded. Without a `shape` rows pass as they are; with a
    `copy_folder` they pass as files that are written there: as the source sends them in binary if
    `is_binary`, or else as text. With `holds` they leave in the types of the destination. `keys`
    and `count` are there to be filled by the extraction. With a `replay` its rows are those of the
    quarantine. `is_absent`: the destination has no such table yet, or not any more.
    """

    config: ResourceConfig
    source: SourceTable
    name: str
    disposition: WriteDisposition
    cursor: SourceColumn | None
    window: Window | None
    shape: Shape | None = None
    copy_folder: Path | None = None
    is_binary: bool = False
    keys: KeySet | None = None
    count: RowCount | None = None
    replay: Replay | None = None
    holds: Holds | None = None
    is_absent: bool = False

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """What is loaded."""
        columns = self.shape.columns if self.shape else self.source.columns
        return (*columns, VERSION_COLUMN) if self.config.is_historized else columns

    @property
    def rejected_name(self) -> str:
        """The table of the rows that are not."""
        return self.name + SUFFIX

    @property
    def quarantine(self) -> Quarantine | None:
        """Where rows that are not loaded are kept; None: they fail the load."""
        return self.shape.quarantine if self.shape else None

    @property
    def is_unchanged(self) -> bool:
        """Whether its rows are loaded as they are."""
        return is_identity(self.config)

    @property
    def is_watched(self) -> bool:
        """Whether dlt has to look at its rows: for the newest cursor, or for other versions."""
        return self.config.is_historized or self.followed_cursor is not None

    @property
    def only_adds(self) -> bool:
        """Whether no row that was there before leaves: what it wrote can be taken out again."""
        return self.disposition in (WriteDisposition.APPEND, WriteDisposition.INSERT)

    @property
    def is_reloaded(self) -> bool:
        """Whether the window's older rows leave when the new ones are complete."""
        return self.window is not None and self.disposition is WriteDisposition.APPEND

    @property
    def followed_cursor(self) -> SourceColumn | None:
        """The cursor that bounds a live load.

        A replaced table is always read as a whole: its older rows would be gone otherwise.
        """
        whole = self.disposition is WriteDisposition.REPLACE
        return None if whole or self.window is not None or self.replay else self.cursor


def table_name(name: str) -> str:
    """The table that a resource of that name becomes.

    Raises:
        TerminalError: the name is kept for dlt and the service.
    """
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    table = str(NamingConvention(63).normalize_table_identifier(name))
    if table.startswith(RESERVED_PREFIXES):
        raise TerminalError(f"resource '{name}': the name is reserved", hint="rename it")
    return table
