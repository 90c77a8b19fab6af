"""The rejected rows of one table, as they are kept at the destination."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etlfabric_core.connectors import postgres
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.shape.rejected import SUFFIX, ReadAs

if TYPE_CHECKING:
    import psycopg

    from etlfabric_core.extract_load.destinations.postgres.fencing import WriterSession

STATEMENT_TIMEOUT = "20s"
# The newest first: of several rows with one key it is the one that counts.
ROWS = """
select q.id, q._dlt_load_id, q."row"::text, to_jsonb(q) -> 'read_as'
from {} as q order by q._dlt_load_id desc, q.file, q.line desc, q.id
"""


@dataclass(frozen=True)
class KeptRow:
    """A rejected row. `load_id` is the load that read it; `read_as` None: that was not noted."""

    id: str
    load_id: str
    values: Mapping[str, Any]
    read_as: ReadAs | None


def kept_rows(session: "WriterSession", table: str, size: int) -> Iterator[list[KeptRow]]:
    """All rejected rows of a table, `size` at once; none when there is no quarantine."""
    from etlfabric_core.extract_load.destinations.postgres.fencing import qualified
    from etlfabric_core.extract_load.destinations.postgres.tables import present

    name = table + SUFFIX
    if not present(session, name):
        return
    connection = session.connection
    with connection.transaction(), connection.cursor(name="etlfabric_replay") as cursor:
        cursor.execute(ROWS.format(qualified(session.writer, name)))
        while found := cursor.fetchmany(size):
            yield [_row(*one) for one in found]


def counted(
    endpoint: Endpoint, dataset: str, tables: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """How many rejected rows each resource's table has: table and rows, by resource.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `connectors.postgres.connect`.
    """
    with postgres.connect(endpoint) as connection:
        connection.read_only = True
        connection.execute("select set_config('statement_timeout', %s, true)", [STATEMENT_TIMEOUT])
        return {
            resource: {table: _count(connection, f'"{dataset}"."{table}{SUFFIX}"')}
            for resource, table in tables.items()
        }


def _count(connection: "psycopg.Connection", name: str) -> int:
    if connection.execute("select to_regclass(%s)", [name]).fetchone() == (None,):
        return 0
    found = connection.execute(f"select count(*) from {name}").fetchone()  # noqa: S608
    return int(found[0]) if found else 0


def _row(id: str, load_id: str, row: str, noted: Any) -> KeptRow:
    """As no load of ours has written it, it is a row of which nothing is known."""
    try:
        values = dict(json.loads(row).items())
        read_as = ReadAs(tuple(noted["filters"]), tuple(noted["left_out"]), dict(noted["masked"]))
    except (AttributeError, TypeError, KeyError, ValueError):
        return KeptRow(id, load_id, {}, None)
    return KeptRow(id, load_id, values, read_as)
