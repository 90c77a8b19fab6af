"""dlt's PostgreSQL destination, made lossless and fenced.

Parquet files are copied as CSV in which every value is quoted, so that '' and NULL stay apart
and the server parses every value by the column's own type. Every transaction ends with the
check that this writer has not been taken over.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dlt.common.destination.client import HasFollowupJobs, RunnableLoadJob
from dlt.destinations import postgres
from dlt.destinations.impl.postgres.configuration import PostgresCredentials
from dlt.destinations.impl.postgres.factory import PostgresTypeMapper
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from dlt.destinations.sql_jobs import SqlStagingReplaceFollowupJob

from etlfabric_core.connectors.postgres import PostgresConfig, PostgresSecrets, location
from etlfabric_core.connectors.record import parse
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.fencing import FencedError, Writer, fence_query
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Endpoint, Window
from etlfabric_core.extract_load.progress import ProgressMeter
from etlfabric_core.extract_load.recovery import forget_query
from etlfabric_core.extract_load.source_table import TYPE_HINT

COPY_BYTES = 1 << 18


@dataclass(frozen=True)
class LoadGuard:
    """What the clients of one load need: who writes, until when, and what to replace.

    `reloaded` maps tables that are appended to in a backfill to their cursor column: their
    older rows in `window` leave in the transaction that completes the load.
    """

    writer: Writer
    lease: LeaseKeeper
    meter: ProgressMeter
    window: Window | None
    reloaded: dict[str, str]

    def count(self, table: str, rows: int) -> None:
        """Rows that the server says it copied."""
        if not table.startswith("_dlt"):
            self.meter.add("load", table, rows)


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


class CopyJob(RunnableLoadJob, HasFollowupJobs):  # type: ignore[misc]
    """Copies one Parquet file into its table, in one transaction."""

    def run(self) -> None:
        from pyarrow.parquet import ParquetFile

        sql_client = self._job_client.sql_client
        with ParquetFile(self._file_path) as file:
            names = ", ".join(map(sql_client.escape_column_name, file.schema_arrow.names))
            table = sql_client.make_qualified_table_name(self.load_table_name)
            statement = f"COPY {table} ({names}) FROM STDIN (FORMAT CSV, NULL '')"
            with (
                sql_client.begin_transaction(),
                sql_client.native_connection.cursor() as cursor,
            ):
                cursor.copy_expert(statement, _CsvStream(_csv_blocks(file)), size=COPY_BYTES)
                rows = cursor.rowcount
        self._job_client.guard.count(self.load_table_name, rows)


def _csv_blocks(file: Any) -> Iterator[bytes]:
    from pyarrow import csv

    options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
    for batch in file.iter_batches():
        block = io.BytesIO()
        csv.write_csv(batch, block, options)
        yield block.getvalue()


class _CsvStream:
    """Blocks of bytes as the file that psycopg2 reads from."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        data, self._rest = self._rest[:size], self._rest[size:]
        return bytes(data)


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


class FencedClient(PostgresClient):  # type: ignore[misc]
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
        if file_path.endswith(".parquet"):
            return CopyJob(file_path)
        return super().create_load_job(table, file_path, load_id, restore)

    def _create_replace_followup_jobs(self, table_chain: Any) -> list[Any]:
        return [ReplaceJob.from_table_chain(table_chain, self.sql_client)]

    def _create_merge_followup_jobs(self, table_chain: Any) -> list[Any]:
        self._require_unique_key(table_chain[0])
        return list(super()._create_merge_followup_jobs(table_chain))

    def _require_unique_key(self, table: Any) -> None:
        """dlt would keep one row of each key and drop the others without a word."""
        keys = [name for name, column in table["columns"].items() if column.get("primary_key")]
        names = ", ".join(map(self.sql_client.escape_column_name, keys))
        with self, self.with_staging_dataset():
            staged = self.sql_client.make_qualified_table_name(table["name"])
            doubled = self.sql_client.execute_sql(
                "select count(*), coalesce(sum(n), 0) from (select count(*) as n "  # noqa: S608
                f"from {staged} group by {names} having count(*) > 1) as keys"
            )
        if doubled and doubled[0][0]:
            count, rows = doubled[0]
            raise TerminalError(
                f"resource '{table['name']}', primary_key: ({', '.join(keys)}) is not unique: "
                f"{rows} rows share {count} keys",
                hint="name more columns, so that together they tell every row apart",
            )

    def complete_load(self, load_id: str) -> None:
        """Everything that makes the load count happens in this one transaction."""
        guard = self.guard
        guard.lease.check()
        with self.sql_client.begin_transaction():
            for table, cursor in guard.reloaded.items():
                self._remove_older_rows(table, cursor, load_id)
            super().complete_load(load_id)
            self.sql_client.execute_sql(forget_query(guard.writer), guard.writer.pipeline, load_id)

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
        capabilities.supported_loader_file_formats = ["parquet", "insert_values"]
        capabilities.loader_file_format_selector = None
        capabilities.type_mapper = SourceTypeMapper
        return capabilities

    @property
    def client_class(self) -> type[FencedClient]:
        return FencedClient

    def client(self, schema: Any, initial_config: Any = None) -> FencedClient:
        made: FencedClient = super().client(schema, initial_config)
        return made.guarded_by(self._guard)
