"""SQL systems as destinations of loads, by dlt's own clients for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from etlfabric_core.extract_load.destinations.sql import room
from etlfabric_core.extract_load.destinations.sql.deletes import Comparison, is_due
from etlfabric_core.extract_load.destinations.sql.ledger import Ledger
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.destinations.writer import (
    Gone,
    LoadGuard,
    Writer,
    not_replayed,
)
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Endpoint, LoadPlan
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.extract_load.typed import Holds
from etlfabric_core.graph.resources import DELETED_AT, ResourceConfig


@dataclass(frozen=True)
class SqlDestination:
    """What a load asks, answered by a client of dlt's that is opened for each question."""

    endpoint: Endpoint
    writing: SqlWriting
    ledger: Ledger
    staged: dict[str, int | None] = field(default_factory=dict)  # keys, by table

    @property
    def writer(self) -> Writer:
        """Who writes."""
        return self.ledger.writer

    @property
    def holds(self) -> Holds:
        """See `Destination`."""
        return self.writing.holds

    def remove_orphans(self) -> int:
        """See `Destination`."""
        with self.ledger.client:
            return self.ledger.remove_orphans()

    def present(self, table: str) -> Mapping[str, str]:
        """See `Destination`."""
        return {name: room.word(column) for name, column in self._columns(table).items()}

    def _columns(self, table: str) -> Mapping[str, Any]:
        with self.ledger.client as client:
            found = client.get_storage_table(table)[1]
        return {name.lower(): column for name, column in found.items()}  # Snowflake's are upper

    def on_its_path(self, table: PlannedTable, folder: Path) -> PlannedTable:
        """See `Destination`."""
        there = self._columns(table.name)
        room.require(table.name, table.columns, there, self.holds)
        return replace(table, holds=self.holds, is_absent=not there)

    def is_compared(self, resource: ResourceConfig, table: str) -> bool:
        """See `Destination`."""
        with self.ledger.client:
            return is_due(self.ledger, resource, table)

    def stage_deletes(self, planned: Sequence[PlannedTable]) -> None:
        """See `Destination`."""
        for one in self._comparisons(planned):
            with self.ledger.client:
                self.staged[one.table.name] = one.stage()

    def apply_deletes(self, planned: Sequence[PlannedTable]) -> Mapping[str, Gone]:
        """See `Destination`."""
        done = {}
        for one in self._comparisons(planned):
            with self.ledger.client:
                done[one.table.name] = one.apply(self.staged[one.table.name])
        return done

    def _comparisons(self, planned: Sequence[PlannedTable]) -> Iterator[Comparison]:
        for table in planned:
            if table.keys is not None:
                yield Comparison(self.ledger, self.writing, table, table.keys)

    def target_rows(self, table: PlannedTable) -> int:
        """See `Destination`."""
        with self.ledger.client as client:
            if not self.ledger.is_there(table.name):
                return 0
            there = client.get_storage_table(table.name)[1]
            marks = [DELETED_AT] if table.config.deletes == "soft" else []
            marks += ["_dlt_valid_to"] if table.config.is_historized else []
            left = ["1 = 1", *(f"{mark} is null" for mark in marks if mark in there)]
            name = self.ledger.name(table.name)
            query = f"select count(*) from {name} where {' and '.join(left)}"  # noqa: S608
            return int(client.sql_client.execute_sql(query)[0][0])

    def replay_session(self) -> NoReturn:
        """Rejected rows are loaded again at PostgreSQL alone."""
        raise not_replayed(self.writing.label)

    def dlt_destination(self, guard: LoadGuard) -> Any:
        """See `Destination`."""
        from etlfabric_core.extract_load.destinations.sql.client import fenced

        return fenced(self.endpoint, self.writing, guard)

    def dataset_lock(self, lease: LeaseKeeper) -> AbstractContextManager[None]:
        """Pipelines meet in no table: each has its own, and so is their staging."""
        return nullcontext()

    def register(self, load_ids: Sequence[str], appended: Sequence[str]) -> None:
        """See `Destination`."""
        with self.ledger.client:
            self.ledger.register(load_ids, appended)

    def completed(self, load_ids: Sequence[str]) -> bool:
        """See `Destination`."""
        with self.ledger.client:
            return self.ledger.completed(load_ids)


def opener(
    writing: SqlWriting,
) -> Callable[[LoadPlan, LeaseKeeper], AbstractContextManager[SqlDestination]]:
    """The function that opens destinations of one system."""

    @contextmanager
    def open_destination(plan: LoadPlan, lease: LeaseKeeper) -> Iterator[SqlDestination]:
        endpoint = plan.destination
        with writing.held(endpoint, lease):
            writer = Writer(plan.pipeline, plan.dataset, lease.epoch)
            ledger = Ledger.of(endpoint, writing, writer)
            with ledger.client:
                ledger.prepare()
                ledger.take_over()
            yield SqlDestination(endpoint, writing, ledger)

    return open_destination
