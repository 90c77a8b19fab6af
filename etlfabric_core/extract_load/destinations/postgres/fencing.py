"""One writer per pipeline at the destination: epochs, advisory locks, and the end of old writers.

A writer's sessions carry pipeline and epoch in their application name. A new writer writes its
higher epoch to `_etlfabric_lease`, then ends the sessions of lower ones. Every transaction of a
load shares a lock on that row and checks it before it commits, and every new session checks it
when it opens; so once the row is written, an older writer can commit nothing, however late it
wakes up.

An advisory lock is open to every role of a database that knows its key. So the keys hang on a
number that lies in the dataset, where only those who may write to it can read it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etlfabric_core.connectors import postgres
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.destinations.writer import FencedError, Writer
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.slugs import STAGING_SUFFIX

if TYPE_CHECKING:
    import psycopg

LEASE_TABLE = "_etlfabric_lease"
LOAD_TABLE = "_etlfabric_load"
SEED_TABLE = "_etlfabric_seed"
COMPARED_TABLE = "_etlfabric_compared"
DATASET_LOCK = "dataset"
TAKEOVER_SECONDS = 60
QUEUE_SECONDS = 6 * 3600


@dataclass(frozen=True)
class WriterSession:
    """The session that holds the pipeline's advisory lock for as long as the load runs."""

    writer: Writer
    connection: "psycopg.Connection"

    @contextmanager
    def fenced(self) -> "Iterator[psycopg.Cursor]":
        """A transaction that fails when the writer has been taken over.

        Raises:
            FencedError: it has.
        """
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute(fence_query(self.writer), [self.writer.pipeline, self.writer.epoch])
            if cursor.fetchone() is None:
                raise FencedError
            yield cursor

    @contextmanager
    def dataset_lock(self, lease: LeaseKeeper) -> Iterator[None]:
        """Waits for the other pipelines that are loading into the dataset, and holds it.

        They would meet in the staging dataset and in dlt's own tables.

        Raises:
            TransientError: the lease was lost while waiting, or it took `QUEUE_SECONDS`.
        """
        deadline = time.monotonic() + QUEUE_SECONDS
        while not self._lock(DATASET_LOCK, "5s"):
            lease.check()
            if time.monotonic() > deadline:
                raise TransientError(
                    f"dataset '{self.writer.dataset}' has been busy for {QUEUE_SECONDS} seconds",
                    hint="look for a load that hangs",
                )
        try:
            yield
        finally:
            if not self.connection.closed:
                self.connection.execute(f"select pg_advisory_unlock({self._key})", [DATASET_LOCK])

    @property
    def _key(self) -> str:
        """The key of the lock that the parameter names."""
        seed = f"select seed from {qualified(self.writer, SEED_TABLE)}"  # noqa: S608
        return f"hashtextextended(%s, ({seed}))"

    def _lock(self, name: str, patience: str) -> bool:
        import psycopg

        self.connection.execute("select set_config('lock_timeout', %s, false)", [patience])
        try:
            self.connection.execute(f"select pg_advisory_lock({self._key})", [name])
        except psycopg.errors.LockNotAvailable:
            return False
        finally:
            self.connection.execute("select set_config('lock_timeout', '0', false)")
        return True

    def take_over(self) -> None:
        """Becomes the one writer.

        Raises:
            FencedError: a newer try is already there.
            TransientError: an older one could not be ended within `TAKEOVER_SECONDS`.
        """
        deadline = time.monotonic() + TAKEOVER_SECONDS
        while not (self._write_epoch() and self._lock(f"pipeline {self.writer.pipeline}", "1s")):
            if time.monotonic() > deadline:
                raise TransientError(
                    f"an earlier load of pipeline '{self.writer.pipeline}' does not end",
                    hint="wait for it, or end its database sessions",
                )
        self._end_older_sessions()

    def _write_epoch(self) -> bool:
        """Whether the row is ours now; False when an older writer held it for too long.

        The older sessions are ended twice: before, because one of them may hold the row; and
        after, because only those that opened before the row was written can be left.
        """
        import psycopg

        self._end_older_sessions()
        self.connection.execute("select set_config('lock_timeout', '1s', false)")
        try:
            values = [self.writer.pipeline, self.writer.epoch]
            row = self.connection.execute(take_over_query(self.writer), values).fetchone()
        except psycopg.errors.LockNotAvailable:
            return False
        if row is None:
            raise FencedError
        self._end_older_sessions()
        return True

    def _end_older_sessions(self) -> None:
        """Ends them and waits, at most 5 s, until they are gone."""
        for _ in range(50):
            ended = self.connection.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity "
                "where datname = current_database() and usename = current_user "
                "and starts_with(application_name, %s) and pid <> pg_backend_pid() "
                "and split_part(application_name, '/', 3)::bigint < %s",
                [self.writer.application_prefix, self.writer.epoch],
            ).fetchone()
            if ended is None or not ended[0]:
                return
            self.connection.execute("select pg_sleep(0.1)")

    def prepare_dataset(self) -> None:
        """Makes the schemas and the tables of this module where they are missing.

        Raises:
            TerminalError: the user may not make the schema.
        """
        import psycopg

        dataset = self.writer.dataset
        try:
            for schema in (dataset, dataset + STAGING_SUFFIX):
                found = self.connection.execute("select to_regnamespace(%s)", [f'"{schema}"'])
                if found.fetchone() == (None,):
                    self._make(f'create schema "{schema}"')
            for statement in TABLES:
                self._make(statement.format(dataset=dataset))
        except psycopg.errors.InsufficientPrivilege:
            raise TerminalError(
                f"dataset '{dataset}': the user may not make or use this schema",
                hint=f"make the schemas '{dataset}' and '{dataset}{STAGING_SUFFIX}' "
                "and give them to the user",
            ) from None

    def _make(self, statement: str) -> None:
        """Makes one thing; when another pipeline made it at this moment, that is as good."""
        import psycopg

        errors = psycopg.errors
        with suppress(errors.UniqueViolation, errors.DuplicateSchema, errors.DuplicateTable):
            self.connection.execute(statement)


TABLES = (
    'create table if not exists "{dataset}"._etlfabric_lease '
    "(pipeline text primary key, epoch bigint not null)",
    'create table if not exists "{dataset}"._etlfabric_load '
    "(pipeline text, load_id text, tables text[] not null, primary key (pipeline, load_id))",
    'create table if not exists "{dataset}"._etlfabric_compared '
    "(pipeline text, table_name text, compared_at timestamptz not null, "
    "primary key (pipeline, table_name))",
    'create table if not exists "{dataset}"._etlfabric_seed '
    "(seed bigint not null, one boolean primary key default true check (one))",
    'insert into "{dataset}"._etlfabric_seed '
    "select hashtextextended(gen_random_uuid()::text, 0) on conflict do nothing",
)


def qualified(writer: Writer, table: str) -> str:
    """A table of the dataset, quoted. Datasets are slugs; tables come from dlt's naming."""
    return f'"{writer.dataset}"."{table}"'


def take_over_query(writer: Writer) -> str:
    """Writes the epoch unless a higher one is there, and says whether it did."""
    return (
        f"insert into {qualified(writer, LEASE_TABLE)} as held (pipeline, epoch) "  # noqa: S608
        "values (%s, %s) on conflict (pipeline) do update set epoch = excluded.epoch "
        "where held.epoch <= excluded.epoch returning epoch"
    )


def fence_query(writer: Writer) -> str:
    """Finds a row when (pipeline, epoch) is the current writer, and keeps it until the commit."""
    return (
        f"select 1 from {qualified(writer, LEASE_TABLE)} "  # noqa: S608
        "where pipeline = %s and epoch = %s for share"
    )


@contextmanager
def open_writer(destination: Endpoint, writer: Writer) -> Iterator[WriterSession]:
    """Takes the writer's pipeline over and holds it until the end.

    Raises:
        TerminalError, TransientError: as `connectors.postgres.connect` and `take_over`.
    """
    with postgres.connect(destination, application_name=writer.application_name) as connection:
        connection.autocommit = True
        session = WriterSession(writer, connection)
        session.prepare_dataset()
        session.take_over()
        yield session
