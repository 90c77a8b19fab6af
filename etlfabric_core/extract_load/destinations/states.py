"""Where dlt keeps the state of a pipeline: versions at the destination, read and added to."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from etlfabric_core import clock
from etlfabric_core.errors import FabricError
from etlfabric_core.extract_load.destinations import module_of
from etlfabric_core.extract_load.plan import Endpoint

if TYPE_CHECKING:
    from etlfabric_core.extract_load.destinations.writer import Writer

STATES = "_dlt_pipeline_state"
LOADS = "_dlt_loads"
State = dict[str, Any]


@dataclass(frozen=True)
class Kept:
    """One version as the load `load_id` left it. `text` is dlt's form, `hash` of the content."""

    load_id: str
    text: str
    version: int
    hash: str
    created_at: datetime

    @classmethod
    def of(cls, load_id: Any, text: Any, version: Any, hash: Any, created_at: datetime) -> "Kept":
        """From a row; a time without a zone is one of UTC."""
        zoned = created_at if created_at.tzinfo else created_at.replace(tzinfo=UTC)
        return cls(str(load_id), str(text), int(version), str(hash), zoned.astimezone(UTC))

    @property
    def state(self) -> State:
        """What it holds."""
        from dlt.common.versioned_state import decompress_state

        return dict(decompress_state(self.text))


class Versions(Protocol):
    """The versions of one pipeline's state that complete loads have left."""

    def newest(self, most: int) -> Sequence[Kept]:
        """As dlt looks for them when it restores a state: the highest load id first."""

    def add(self, row: dict[str, Any], former: Kept) -> None:
        """Puts a row into dlt's table of states, and makes its load a complete one."""


class StateStore(Protocol):
    """One kind of destination as the place of states."""

    def reading(self, endpoint: Endpoint, writer: "Writer") -> AbstractContextManager[Versions]:
        """To look at them; nothing is changed or waited for."""

    def changing(self, endpoint: Endpoint, writer: "Writer") -> AbstractContextManager[Versions]:
        """To add to them, in one transaction of the only writer.

        Raises:
            FencedError: a newer writer is there, or came meanwhile.
        """


@contextmanager
def read_states(endpoint: Endpoint, writer: "Writer") -> Iterator[Versions]:
    """The versions, to look at.

    Raises:
        InvalidConfig, TerminalError, TransientError: the destination cannot be read.
    """
    with _told(endpoint), _store(endpoint).reading(endpoint, writer) as versions:
        yield versions


@contextmanager
def change_states(endpoint: Endpoint, writer: "Writer") -> Iterator[Versions]:
    """The versions, to add to, in one transaction of the only writer.

    Raises:
        FencedError: a newer writer is there, or came meanwhile.
        InvalidConfig, TerminalError, TransientError: the destination cannot be written.
    """
    with _told(endpoint), _store(endpoint).changing(endpoint, writer) as versions:
        yield versions


def added(versions: Versions, pipeline: str, state: State, former: Kept) -> str:
    """Adds a load of nothing but the state, as dlt itself does it when it drops state.

    Returns:
        The id of that load.
    """
    from dlt.common.storages.load_package import create_load_id
    from dlt.common.utils import uniq_id
    from dlt.common.versioned_state import bump_state_version_if_modified, compress_state

    # The clock of the machine that loaded last may be ahead of this one.
    load_id: str = max(create_load_id(), f"{float(former.load_id) + 0.001:.6f}")
    bump_state_version_if_modified(state, exclude_attrs=["_local"])
    row = {
        "version": state["_state_version"],
        "engine_version": state["_state_engine_version"],
        "pipeline_name": pipeline,
        "state": compress_state(state),
        "created_at": clock.now(),
        "version_hash": state["_version_hash"],
        "_dlt_load_id": load_id,
        "_dlt_id": uniq_id(),
    }
    versions.add(row, former)
    return load_id


def _store(endpoint: Endpoint) -> StateStore:
    store: StateStore = module_of(endpoint.connector).STATE_STORE
    return store


@contextmanager
def _told(endpoint: Endpoint) -> Iterator[None]:
    from etlfabric_core.extract_load.isolation import isolated

    try:
        with isolated(1):
            yield
    except FabricError:
        raise
    except Exception as error:
        from etlfabric_core.extract_load.failures import explained

        raise explained(error, endpoint) from None
