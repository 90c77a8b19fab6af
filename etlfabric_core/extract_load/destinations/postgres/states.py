"""The versions of a pipeline's state in dlt's tables at PostgreSQL."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors import postgres
from etlfabric_core.extract_load.destinations.postgres.fencing import open_writer, qualified
from etlfabric_core.extract_load.destinations.states import LOADS, STATES, Kept
from etlfabric_core.extract_load.destinations.writer import Writer
from etlfabric_core.extract_load.plan import Endpoint

if TYPE_CHECKING:
    import psycopg

STATEMENT_TIMEOUT = "20s"


@dataclass(frozen=True)
class PostgresVersions:
    """See `Versions`."""

    connection: "psycopg.Connection"
    writer: Writer

    def newest(self, most: int) -> Sequence[Kept]:
        """See `Versions`."""
        states, loads = (qualified(self.writer, name) for name in (STATES, LOADS))
        with closing(self.connection.cursor()) as cursor:
            cursor.execute("select to_regclass(%s)", [states])
            if cursor.fetchone() == (None,):
                return []
            cursor.execute(
                f"select l.load_id, s.state, s.version, s.version_hash, s.created_at "  # noqa: S608
                f"from {states} s join {loads} l on l.load_id = s._dlt_load_id "
                f"where s.pipeline_name = %s and l.status = 0 order by l.load_id desc limit %s",
                [self.writer.pipeline, most],
            )
            return [Kept.of(*row) for row in cursor.fetchall()]

    def add(self, row: dict[str, Any], former: Kept) -> None:
        """See `Versions`."""
        names, values = ", ".join(row), ", ".join(["%s"] * len(row))
        self.connection.execute(
            f"insert into {qualified(self.writer, STATES)} ({names}) values ({values})",  # noqa: S608
            list(row.values()),
        )
        loads = qualified(self.writer, LOADS)
        self.connection.execute(
            f"insert into {loads} "  # noqa: S608
            "(load_id, schema_name, status, inserted_at, schema_version_hash) "
            f"select %s, schema_name, 0, %s, schema_version_hash from {loads} where load_id = %s",
            [row["_dlt_load_id"], row["created_at"], former.load_id],
        )


class PostgresStates:
    """See `StateStore`."""

    @contextmanager
    def reading(self, endpoint: Endpoint, writer: Writer) -> Iterator[PostgresVersions]:
        """See `StateStore`."""
        with postgres.connect(endpoint) as connection:
            connection.read_only = True
            yield _bounded(connection, writer)

    @contextmanager
    def changing(self, endpoint: Endpoint, writer: Writer) -> Iterator[PostgresVersions]:
        """See `StateStore`."""
        with open_writer(endpoint, writer) as session, session.fenced():
            yield _bounded(session.connection, writer)


def _bounded(connection: "psycopg.Connection", writer: Writer) -> PostgresVersions:
    connection.execute("select set_config('statement_timeout', %s, true)", [STATEMENT_TIMEOUT])
    return PostgresVersions(connection, writer)
