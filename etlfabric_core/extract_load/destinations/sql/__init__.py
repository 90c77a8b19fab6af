"""SQL systems as destinations of loads, by dlt's own clients for them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from etlfabric_core.connectors.sql import require_driver
from etlfabric_core.extract_load.destinations.sql import room
from etlfabric_core.extract_load.destinations.sql.ledger import LEDGER, Ledger, ledger_schema
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
from etlfabric_core.graph.resources import ResourceConfig


@dataclass(frozen=True)
class SqlDestination:
    """What a load asks, answered by a client of dlt's that is opened for each question."""

    endpoint: Endpoint
    writing: SqlWriting
    ledger: Ledger

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
        room.require(table.name, table.columns, self._columns(table.name), self.holds)
        return replace(table, holds=self.holds)

    def is_compared(self, resource: ResourceConfig, table: str) -> bool:
        """Keys are not compared here: a pipeline that asks for it is not saved."""
        return False

    def stage_deletes(self, planned: Sequence[PlannedTable]) -> None:
        """There is nothing to stage."""

    def apply_deletes(self, planned: Sequence[PlannedTable]) -> Mapping[str, Gone]:
        """There is nothing to apply."""
        return {}

    def target_rows(self, table: PlannedTable) -> int:
        """See `Destination`."""
        with self.ledger.client as client:
            if not self.ledger.is_there(table.name):
                return 0
            history = " where _dlt_valid_to is null" if table.config.is_historized else ""
            query = f"select count(*) from {self.ledger.name(table.name)}{history}"  # noqa: S608
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
        from etlfabric_core.extract_load.destinations.sql.client import plain

        endpoint = plan.destination
        if writing.driver:
            require_driver(*writing.driver)
        with writing.held(endpoint, lease):
            made = plain(endpoint, writing)
            config = made.spec()._bind_dataset_name(plan.dataset, LEDGER)
            client = made.client(ledger_schema(), config)
            writer = Writer(plan.pipeline, plan.dataset, lease.epoch)
            ledger = Ledger(writer, client, writing.row_lock)
            with client:
                ledger.prepare()
                ledger.take_over()
            yield SqlDestination(endpoint, writing, ledger)

    return open_destination
