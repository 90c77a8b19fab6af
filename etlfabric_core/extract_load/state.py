"""Where the next load of each table begins: read and changed at the destination, in dlt's tables.

Every load that moves a cursor leaves dlt's whole state as a new row of `_dlt_pipeline_state`, under
the id of that load; the newest row of a complete load counts. So the rows are the history, and the
row before a run is the snapshot before it. A change adds a row in the same way, and takes none out.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from etlfabric_core.errors import Conflict
from etlfabric_core.extract_load.cursor_values import parsed, told
from etlfabric_core.extract_load.destinations.states import (
    Kept,
    State,
    added,
    change_states,
    read_states,
)
from etlfabric_core.extract_load.destinations.writer import Writer
from etlfabric_core.extract_load.plan import Endpoint, StateChange

MOST_VERSIONS = 100


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
        InvalidConfig, TerminalError, TransientError: as `read_states`.
    """
    with read_states(endpoint, Writer(pipeline, dataset, 0)) as versions:
        return [_version(kept) for kept in versions.newest(MOST_VERSIONS)]


def change(
    endpoint: Endpoint, pipeline: str, dataset: str, *, epoch: int, asked: StateChange
) -> Changed:
    """Adds a version in which the cursors stand as asked; all else in it stays as it is.

    Raises:
        Conflict: the pipeline or the resource was not loaded yet, there is no such version, or the
            state stands like that already.
        InvalidConfig: the value is not one of the cursor's type.
        FencedError: a load began meanwhile.
        TerminalError, TransientError: as `change_states`.
    """
    if not history(endpoint, pipeline, dataset):
        raise Conflict(
            "this pipeline has no state yet",
            hint="run it first; where its first run begins is the cursor's initial_value",
        )
    with change_states(endpoint, Writer(pipeline, dataset, epoch)) as versions:
        kept = versions.newest(MOST_VERSIONS)
        newest = kept[0].state
        state = _changed(newest, asked, kept)
        before, after = _positions(newest), _positions(state)
        if _resources(state) == _resources(newest):
            raise Conflict("the cursors stand like that already", hint="nothing was changed")
        return Changed(added(versions, pipeline, state, kept[0]), before, after)


def _version(kept: Kept) -> Version:
    return Version(
        load_id=kept.load_id,
        created_at=kept.created_at.isoformat(),
        version=kept.version,
        hash=kept.hash,
        positions=_positions(kept.state),
    )


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


def _changed(newest: State, asked: StateChange, kept: Sequence[Kept]) -> State:
    state = deepcopy(newest)
    if asked.action == "restore":
        earlier = next((one for one in kept if one.load_id == asked.load_id), None)
        if earlier is None:
            raise Conflict("there is no such version", hint="choose one from the history")
        _put_all(state, _resources(earlier.state), asked.resource)
    elif asked.action == "reset":
        _put_all(state, {}, asked.resource)
    else:
        _set(state, asked, kept)
    return state


def _put_all(state: State, wanted: Mapping[tuple[str, str], Any], resource: str | None) -> None:
    """Gives one resource, or all of them, what is wanted; what is not in it begins anew."""
    for key in _resources(state).keys() | wanted.keys():
        if resource in (None, key[1]):
            resources = state["sources"].setdefault(key[0], {}).setdefault("resources", {})
            resources.pop(key[1], None)
            if key in wanted:
                resources[key[1]] = deepcopy(wanted[key])


def _set(state: State, asked: StateChange, kept: Sequence[Kept]) -> None:
    """After a reset the type is told by the newest version that has a value.

    The rows that were met at the old value are forgotten: all rows from the new value on are read.
    """
    for version in kept:
        for (source, resource), stored in _resources(version.state).items():
            entry = stored.get("incremental", {}).get(asked.column)
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
