"""dlt's PostgreSQL destination, made lossless and fenced.

Rows are copied in COPY's own formats, so that '' and NULL stay apart and the server parses every
value by the column's own type. Every transaction ends with the check that this writer has not
been taken over.
"""

from pathlib import Path
from typing import Any

from dlt.destinations import postgres
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.destinations.impl.postgres.factory import PostgresTypeMapper
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.sql_jobs import SqlStagingReplaceFollowupJob

from etlfabric_core.connectors.postgres import PostgresConfig, PostgresSecrets, location
from etlfabric_core.connectors.record import parse
from etlfabric_core.extract_load.destinations.merging import KeyedMerges
from etlfabric_core.extract_load.destinations.postgres.copy_jobs import JOBS
from etlfabric_core.extract_load.destinations.postgres.fencing import fence_query
from etlfabric_core.extract_load.destinations.postgres.recovery import forget_query
from etlfabric_core.extract_load.destinations.standing import StandingTables
from etlfabric_core.extract_load.destinations.writer import FencedError, LoadGuard, Writer
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.replay.outcomes import Outcomes
from etlfabric_core.extract_load.shape.rejected import SUFFIX
from etlfabric_core.extract_load.source_table import TYPE_HINT


def credentials(endpoint: Endpoint, writer: Writer) -> PostgresCredentials:
    """dlt's credentials object; its sessions carry the writer's name and speak UTC."""
    config = parse(PostgresConfig, endpoint.config)
    secrets = parse(PostgresSecrets, endpoint.secrets)
    made = PostgresCredentials()
    made.host, made.port, made.database = config.host, config.port, config.database
    made.username, made.password = config.user, secrets.password.get_secret_value()
    made.session_timezone = "UTC"
    made.query = {
        "application_name": writer.application_name,
        "client_encoding": "UTF8",
        "sslmode": config.sslmode,
        **location(endpoint),
    }
    made.resolve()
    return made


class SourceTypeMapper(PostgresTypeMapper):  # type: ignore[misc]
    """Gives a column the type that its source column has."""

    def to_destination_type(self, column: Any, table: Any) -> str:
        return str(column.get(TYPE_HINT) or super().to_destination_type(column, table))


class FencedSqlClient(Psycopg2SqlClient):  # type: ignore[misc]
    """Checks the epoch when a session opens and before every commit."""

    guard: LoadGuard

    def open_connection(self) -> Any:
        connection = super().open_connection()
        self._check()
        return connection

    def commit_transaction(self) -> None:
        self._check()
        super().commit_transaction()

    def _check(self) -> None:
        writer = self.guard.writer
        with self.native_connection.cursor() as cursor:
            cursor.execute(fence_query(writer), [writer.pipeline, writer.epoch])
            if cursor.fetchone() is None:
                raise FencedError


class ReplaceJob(SqlStagingReplaceFollowupJob):  # type: ignore[misc]
    """Swaps the rows of a table in one transaction.

    By DELETE and INSERT: TRUNCATE would wait for every reader, and readers with an older
    snapshot would see an empty table; a new table would take the views on it away.
    """

    @classmethod
    def generate_sql(cls, table_chain: Any, sql_client: Any) -> list[str]:
        tables = [sql_client.make_qualified_table_name(table["name"]) for table in table_chain]
        emptied = [f"DELETE FROM {table}" for table in tables]  # noqa: S608
        filled = cls._generate_insert_sql(table_chain, sql_client, truncate_first=False)
        return [*emptied, *filled]


class FencedClient(StandingTables, KeyedMerges, PostgresClient):  # type: ignore[misc]
    """The job client of one load."""

    guard: LoadGuard
    sql_client: Any

    def guarded_by(self, guard: LoadGuard) -> "FencedClient":
        """Puts the fence in place."""
        self.guard = guard
        plain = self.sql_client
        self.sql_client = FencedSqlClient(
            plain.dataset_name, plain.staging_dataset_name, plain.credentials, plain.capabilities
        )
        self.sql_client.guard = guard
        return self

    def create_load_job(
        self, table: Any, file_path: str, load_id: str, restore: bool = False
    ) -> Any:
        if job := JOBS.get(Path(file_path).suffix):
            return job(file_path)
        return super().create_load_job(table, file_path, load_id, restore)

    def _create_replace_followup_jobs(self, table_chain: Any) -> list[Any]:
        return [ReplaceJob.from_table_chain(table_chain, self.sql_client)]

    def complete_load(self, load_id: str) -> None:
        """Everything that makes the load count happens in this one transaction."""
        guard = self.guard
        guard.lease.check()
        with self.sql_client.begin_transaction():
            for table, cursor in guard.reloaded.items():
                self._remove_older_rows(table, cursor, load_id)
            for outcomes in guard.replayed:
                self._settle(outcomes)
            super().complete_load(load_id)
            self.sql_client.execute_sql(forget_query(guard.writer), guard.writer.pipeline, load_id)

    def _settle(self, outcomes: Outcomes) -> None:
        """The evidence counts what was refused again among the rows that arrived."""
        with self.sql_client.native_connection.cursor() as cursor:
            outcomes.settle(cursor, self.sql_client.dataset_name)
        self.guard.count(outcomes.table + SUFFIX, outcomes.count)

    def _remove_older_rows(self, table: str, cursor: str, load_id: str) -> None:
        window = self.guard.window
        if window is None or table not in self.schema.tables:
            return
        name = self.sql_client.make_qualified_table_name(table)
        column = self.sql_client.escape_column_name(cursor)
        self.sql_client.execute_sql(
            f"delete from {name} where _dlt_load_id <> %s "  # noqa: S608
            f"and {column}::timestamptz >= %s and {column}::timestamptz < %s",
            load_id,
            window.start,
            window.end,
        )


class FencedPostgres(postgres):  # type: ignore[misc]
    """The destination of one load."""

    def __init__(self, endpoint: Endpoint, guard: LoadGuard) -> None:
        self._guard = guard
        super().__init__(
            credentials=credentials(endpoint, guard.writer),
            destination_name="postgres",
            replace_strategy="insert-from-staging",
        )

    def _raw_capabilities(self) -> Any:
        capabilities = super()._raw_capabilities()
        capabilities.preferred_loader_file_format = "parquet"
        capabilities.supported_loader_file_formats = ["parquet", "csv", "insert_values"]
        capabilities.loader_file_format_selector = None
        capabilities.type_mapper = SourceTypeMapper
        return capabilities

    @property
    def client_class(self) -> type[FencedClient]:
        return FencedClient

    def client(self, schema: Any, initial_config: Any = None) -> FencedClient:
        made: FencedClient = super().client(schema, initial_config)
        return made.guarded_by(self._guard)
