"""Tables and columns that somebody has dropped are made again by the load that needs them."""

from collections.abc import Iterable
from typing import Any

from dlt.destinations.job_client_impl import SqlJobClientWithStagingDataset


class StandingTables(SqlJobClientWithStagingDataset):  # type: ignore[misc]
    """Goes by what is there. dlt goes by its notes of what it made once, and a table that has
    been dropped would fail every later load.
    """

    def update_stored_schema(
        self,
        only_tables: Iterable[str] | None = None,
        expected_update: Any = None,
        force: bool = True,
    ) -> Any:
        return super().update_stored_schema(only_tables, expected_update, True)
