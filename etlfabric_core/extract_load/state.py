"""Where the next load of each table begins: read and changed at the destination, in dlt's tables.

Every load that moves a cursor leaves dlt's whole state as a new row of `_dlt_pipeline_state`, under
the id of that load; the newest row of a complete load counts. So the rows are the history, and the
row before a run is the snapshot before it. A change adds a row in the same way, and takes none out.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from etlfabric_core import clock
from etlfabric_core.connectors import postgres
from etlfabric_core.errors import Conflict
from etlfabric_core.extract_load.cursor_values import parsed, told
from etlfabric_core.extract_load.destinations.postgres.fencing import open_writer, qualified
from etlfabric_core.extract_load.destinations.writer import Writer
from etlfabric_core.extract_load.plan import Endpoint, StateChange

if TYPE_CHECKING:
    import psycopg

MOST_VERSIONS = 100
STATEMENT_TIMEOUT = "20s"
State = dict[str, Any]


@dataclass(frozen=True)
class Position:
    """How far one cursor of a resource has come. `text` is None where no row was met yet."""

    resource: str
    column: str
    type: str
    text: str | None


@dataclass(frozen=True)
class Version:
    """The state as the load `load_id` left it. `hash` is dlt's, of the content."""

    load_id: str
    created_at: str
    version: int
    hash: str
    positions: tuple[Position, ...]


@dataclass(frozen=True)
class Changed:
    """What a change did: the new version's load, and the positions before and after."""

    load_id: str
    before: tuple[Position, ...]
    after: tuple[Position, ...]


def history(endpoint: Endpoint, pipeline: str, dataset: str) -> list[Version]:
    """The newest versions of a pipeline's state, newest first; none before its first load.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `connectors.postgres.connect`.
    """
    writer = Writer(pipeline, dataset, 0)
    with postgres.connect(endpoint) as connection:
        connection.read_only = True
        connection.execute("select set_config('statement_timeout', %s, true)", [STATEMENT_TIMEOUT])
        return [_version(row) for row in _rows(connection, writer)]


def change(
    endpoint: Endpoint, pipeline: str, dataset: str, *, epoch: int, asked: StateChange
) -> Changed:
    """Adds a version in which the cursors stand as asked; all else in it stays as it is.

    Raises:
        Conflict: the pipeline or the resource was not loaded yet, there is no such version, or the
            state stands like that already.
        InvalidConfig: the value is not one of the cursor's type.
        FencedError: a load began meanwhile.
        TerminalError, TransientError: as `fencing.open_writer`.
    """
    writer = Writer(pipeline, dataset, epoch)
    if not history(endpoint, pipeline, dataset):
        raise Conflict(
            "this pipeline has no state yet",
            hint="run it first; where its first run begins is the cursor's initial_value",
        )
    with open_writer(endpoint, writer) as session, session.fenced() as cursor:
        cursor.execute("select set_config('statement_timeout', %s, true)", [STATEMENT_TIMEOUT])
        rows = _rows(session.connection, writer)
        newest = _decoded(rows[0])
        state = _changed(newest, asked, rows)
        before, after = _positions(newest), _positions(state)
        if _resources(state) == _resources(newest):
            raise Conflict("the cursors stand like that already", hint="nothing was changed")
        return Changed(_add(cursor, writer, rows[0], state), before, after)


def _rows(connection: "psycopg.Connection", writer: Writer) -> list[Mapping[str, Any]]:
    """As dlt looks for them when it restores a state: complete loads, the highest id first."""
    from psycopg.rows import dict_row

    states, loads = (qualified(writer, name) for name in ("_dlt_pipeline_state", "_dlt_loads"))
    with closing(connection.cursor(row_factory=dict_row)) as cursor:
        cursor.execute("select to_regclass(%s) is null as missing", [states])
        if (found := cursor.fetchone()) is None or found["missing"]:
            return []
        cursor.execute(
            f"select l.load_id, s.state, s.version, s.version_hash, s.created_at "  # noqa: S608
            f"from {states} s join {loads} l on l.load_id = s._dlt_load_id "
            f"where s.pipeline_name = %s and l.status = 0 order by l.load_id desc limit %s",
            [writer.pipeline, MOST_VERSIONS],
        )
        return list(cursor.fetchall())


def _version(row: Mapping[str, Any]) -> Version:
    return Version(
        load_id=row["load_id"],
        created_at=row["created_at"].astimezone(UTC).isoformat(),
        version=row["version"],
        hash=row["version_hash"],
        positions=_positions(_decoded(row)),
    )


def _decoded(row: Mapping[str, Any]) -> State:
    from dlt.common.versioned_state import decompress_state

    return dict(decompress_state(row["state"]))


def _resources(state: State) -> dict[tuple[str, str], Any]:
    """What dlt keeps for each resource, by its source and name."""
    return {
        (source, resource): kept
        for source, content in state.get("sources", {}).items()
        for resource, kept in content.get("resources", {}).items()
    }


def _positions(state: State) -> tuple[Position, ...]:
    return tuple(
        Position(resource, column, *told(entry.get("last_value")))
        for (_, resource), kept in sorted(_resources(state).items())
        for column, entry in sorted(kept.get("incremental", {}).items())
    )


def _changed(newest: State, asked: StateChange, rows: Sequence[Mapping[str, Any]]) -> State:
    state = deepcopy(newest)
    if asked.action == "restore":
        earlier = next((row for row in rows if row["load_id"] == asked.load_id), None)
        if earlier is None:
            raise Conflict("there is no such version", hint="choose one from the history")
        _put_all(state, _resources(_decoded(earlier)), asked.resource)
    elif asked.action == "reset":
        _put_all(state, {}, asked.resource)
    else:
        _set(state, asked, rows)
    return state


def _put_all(state: State, wanted: Mapping[tuple[str, str], Any], resource: str | None) -> None:
    """Gives one resource, or all of them, what is wanted; what is not in it begins anew."""
    for key in _resources(state).keys() | wanted.keys():
        if resource in (None, key[1]):
            resources = state["sources"].setdefault(key[0], {}).setdefault("resources", {})
            resources.pop(key[1], None)
            if key in wanted:
                resources[key[1]] = deepcopy(wanted[key])


def _set(state: State, asked: StateChange, rows: Sequence[Mapping[str, Any]]) -> None:
    """After a reset the type is told by the newest version that has a value.

    The rows that were met at the old value are forgotten: all rows from the new value on are read.
    """
    for row in rows:
        for (source, resource), kept in _resources(_decoded(row)).items():
            entry = kept.get("incremental", {}).get(asked.column)
            if resource == asked.resource and entry and entry.get("last_value") is not None:
                value = parsed(asked.value or "", entry["last_value"])
                entry |= {"last_value": value, "start_value": value, "unique_hashes": []}
                resources = state["sources"].setdefault(source, {}).setdefault("resources", {})
                own = resources.setdefault(resource, {}).setdefault("incremental", {})
                own[asked.column] = entry
                return
    raise Conflict(
        f"resource '{asked.resource}' was not loaded by the cursor '{asked.column}' yet",
        hint="run it first, or give the cursor an initial_value",
    )


def _add(cursor: "psycopg.Cursor", writer: Writer, newest: Mapping[str, Any], state: State) -> str:
    """A load of nothing but the state, as dlt itself does it when it drops state."""
    from dlt.common.storages.load_package import create_load_id
    from dlt.common.utils import uniq_id
    from dlt.common.versioned_state import bump_state_version_if_modified, compress_state

    # The clock of the machine that loaded last may be ahead of this one.
    load_id: str = max(create_load_id(), f"{float(newest['load_id']) + 0.001:.6f}")
    bump_state_version_if_modified(state, exclude_attrs=["_local"])
    now = clock.now()
    cursor.execute(
        f"insert into {qualified(writer, '_dlt_pipeline_state')} "  # noqa: S608
        "(version, engine_version, pipeline_name, state, created_at, version_hash, "
        "_dlt_load_id, _dlt_id) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            state["_state_version"],
            state["_state_engine_version"],
            writer.pipeline,
            compress_state(state),
            now,
            state["_version_hash"],
            load_id,
            uniq_id(),
        ],
    )
    loads = qualified(writer, "_dlt_loads")
    cursor.execute(
        f"insert into {loads} "  # noqa: S608
        "(load_id, schema_name, status, inserted_at, schema_version_hash) "
        f"select %s, schema_name, 0, %s, schema_version_hash from {loads} where load_id = %s",
        [load_id, now, newest["load_id"]],
    )
    return load_id
