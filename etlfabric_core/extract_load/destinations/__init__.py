"""Where loads go, one module per connector, which is imported when it is loaded into."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from etlfabric_core.errors import TerminalError

if TYPE_CHECKING:
    from etlfabric_core.extract_load.destinations.postgres.fencing import WriterSession
    from etlfabric_core.extract_load.destinations.writer import Gone, LoadGuard, Writer
    from etlfabric_core.extract_load.lease import LeaseKeeper
    from etlfabric_core.extract_load.plan import LoadPlan
    from etlfabric_core.extract_load.planned_table import PlannedTable
    from etlfabric_core.extract_load.typed import Holds
    from etlfabric_core.graph.resources import ResourceConfig


class Destination(Protocol):
    """What one load asks of its destination, where it is the one writer of its pipeline."""

    @property
    def writer(self) -> "Writer":
        """Who writes."""

    @property
    def holds(self) -> "Holds | None":
        """What its columns can be; None: they read PostgreSQL's text."""

    def remove_orphans(self) -> int:
        """Takes out the rows of this pipeline's unfinished loads; returns how many there were."""

    def present(self, table: str) -> Mapping[str, str]:
        """Columns of a table and their types, in PostgreSQL's words; none: it is not there."""

    def on_its_path(self, table: "PlannedTable", folder: Path) -> "PlannedTable":
        """The table, with how its rows travel; files of its own lie in the folder.

        Raises:
            TerminalError: the destination cannot hold its values as they are.
        """

    def is_compared(self, resource: "ResourceConfig", table: str) -> bool:
        """Whether the keys of a table are to be compared in this load."""

    def stage_deletes(self, planned: "Sequence[PlannedTable]") -> None:
        """Brings keys to the destination, and looks what would be deleted.

        Raises:
            TerminalError: more than a resource allows.
        """

    def apply_deletes(self, planned: "Sequence[PlannedTable]") -> "Mapping[str, Gone]":
        """Marks or removes what is gone, by the keys that were staged."""

    def target_rows(self, table: "PlannedTable") -> int:
        """Rows of a table, without those that are marked as deleted, and former versions."""

    def replay_session(self) -> "WriterSession":
        """The session that rejected rows are read in, to be loaded.

        Raises:
            TerminalError: they cannot be, at this destination.
        """

    def dlt_destination(self, guard: "LoadGuard") -> Any:
        """What dlt loads into. Its clients tell the guard how many rows arrived."""

    def dataset_lock(self, lease: "LeaseKeeper") -> AbstractContextManager[None]:
        """Keeps other pipelines from loading into the dataset, where they would meet.

        Raises:
            TransientError: the lease was lost while waiting.
        """

    def register(self, load_ids: Sequence[str], appended: Sequence[str]) -> None:
        """Remembers loads that are about to begin, and the tables they append to.

        Tables that are merged into or replaced need no cleaning: doing it again gives the same
        rows, while taking the rows out would show a hole until then.
        """

    def completed(self, load_ids: Sequence[str]) -> bool:
        """Whether the destination itself says that all these loads are complete."""


MODULES = (
    *("postgres", "duckdb", "mysql", "mssql", "clickhouse"),
    *("redshift", "snowflake", "bigquery", "s3"),
)


def open_destination(
    plan: "LoadPlan", lease: "LeaseKeeper"
) -> AbstractContextManager["Destination"]:
    """The destination of a load, taken over and held until the end.

    Raises:
        TerminalError: the connector cannot be a destination.
    """
    module = module_of(plan.destination.connector)
    opened: AbstractContextManager[Destination] = module.open_destination(plan, lease)
    return opened


def module_of(connector: str) -> ModuleType:
    """The module of a connector.

    Raises:
        TerminalError: it cannot be a destination.
    """
    if connector not in MODULES:
        raise TerminalError(
            f"connector '{connector}' cannot be a destination",
            hint=f"choose a connection of: {', '.join(MODULES)}",
        )
    return import_module(f"{__name__}.{connector}")
