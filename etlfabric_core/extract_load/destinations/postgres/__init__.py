"""Loads into PostgreSQL, the managed warehouse among it, by `COPY`, in fenced transactions.

A newer try ends the sessions of older ones, and every transaction checks that it is still the
one before it commits. Replaced tables are never seen empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etlfabric_core.extract_load.destinations.postgres import deletes, recovery, tables
from etlfabric_core.extract_load.destinations.postgres.fencing import WriterSession, open_writer
from etlfabric_core.extract_load.destinations.postgres.states import PostgresStates
from etlfabric_core.extract_load.destinations.writer import Gone, LoadGuard, Writer
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Endpoint, LoadPlan
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.graph.resources import ResourceConfig


@dataclass(frozen=True)
class PostgresDestination:
    """What a load asks, answered in the session that holds the pipeline's lock."""

    endpoint: Endpoint
    session: WriterSession

    @property
    def writer(self) -> Writer:
        """Who writes."""
        return self.session.writer

    @property
    def holds(self) -> None:
        """Its columns read the text that PostgreSQL writes."""
        return None

    def remove_orphans(self) -> int:
        """See `Destination`."""
        return recovery.remove_orphans(self.session)

    def present(self, table: str) -> Mapping[str, str]:
        """See `Destination`."""
        return tables.present(self.session, table)

    def on_its_path(self, table: PlannedTable, folder: Path) -> PlannedTable:
        """See `Destination`."""
        return tables.on_its_path(self.session, table, folder)

    def is_compared(self, resource: ResourceConfig, table: str) -> bool:
        """See `Destination`."""
        return deletes.is_due(self.session, resource, table)

    def stage_deletes(self, planned: Sequence[PlannedTable]) -> None:
        """See `Destination`."""
        deletes.stage(self.session, planned)

    def apply_deletes(self, planned: Sequence[PlannedTable]) -> Mapping[str, Gone]:
        """See `Destination`."""
        return deletes.apply(self.session, planned)

    def target_rows(self, table: PlannedTable) -> int:
        """See `Destination`."""
        return tables.target_rows(self.session, table)

    def replay_session(self) -> WriterSession:
        """See `Destination`."""
        return self.session

    def dlt_destination(self, guard: LoadGuard) -> Any:
        """See `Destination`."""
        from etlfabric_core.extract_load.destinations.postgres.client import FencedPostgres

        return FencedPostgres(self.endpoint, guard)

    def dataset_lock(self, lease: LeaseKeeper) -> AbstractContextManager[None]:
        """See `Destination`."""
        return self.session.dataset_lock(lease)

    def register(self, load_ids: Sequence[str], appended: Sequence[str]) -> None:
        """See `Destination`."""
        recovery.register(self.session, load_ids, appended)

    def completed(self, load_ids: Sequence[str]) -> bool:
        """See `Destination`."""
        return recovery.completed(self.session, load_ids)


STATE_STORE = PostgresStates()


@contextmanager
def open_destination(plan: LoadPlan, lease: LeaseKeeper) -> Iterator[PostgresDestination]:
    """Takes the pipeline of a load over and holds it until the end.

    Raises:
        TerminalError, TransientError: as `fencing.open_writer`.
    """
    writer = Writer(plan.pipeline, plan.dataset, lease.epoch)
    with open_writer(plan.destination, writer) as session:
        yield PostgresDestination(plan.destination, session)
