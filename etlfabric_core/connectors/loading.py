"""What connectors do as destinations, as data: a pipeline that asks for more is not saved."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.graph.resources import MergeStrategy, WriteDisposition


class LoadAbility(StrEnum):
    """What a destination does beside taking rows."""

    DELETES = "deletes"  # rows that the source has no longer are marked or removed
    COUNT = "count"  # rows are counted after a load
    CONTRACT = "contract"  # a table that is there is held against the schema contract
    QUARANTINE = "quarantine"  # rejected rows are kept beside the table
    BACKFILL = "backfill"  # the rows of a window are replaced
    REPLAY = "replay"  # rejected rows are loaded again through a corrected configuration
    STATE = "state"  # where the next load begins can be seen and changed
    COMPARE = "compare"  # a table that is there is compared with what would be loaded


class Guarantee(StrEnum):
    """How often a row arrives, whatever happens on the way."""

    EXACTLY_ONCE = "exactly once in effect"
    AT_LEAST_ONCE = "at least once"


# From an endpoint, a dataset and a table that was loaded there to what its reader calls it.
SourceOf = Callable[[Endpoint, str, str], str]


def in_schema(endpoint: Endpoint, dataset: str, table: str) -> str:
    """Where a dataset is a schema."""
    return f"{dataset}.{table}"


def by_prefix(endpoint: Endpoint, dataset: str, table: str) -> str:
    """Where a dataset is what the names of its tables begin with."""
    return f"{dataset}___{table}"


@dataclass(frozen=True)
class Loading:
    """How a connector is loaded into; `source` is what its reader calls a loaded table."""

    dispositions: frozenset[WriteDisposition]
    strategies: frozenset[MergeStrategy]
    abilities: frozenset[LoadAbility]
    guarantee: Guarantee
    source: SourceOf = in_schema


@dataclass(frozen=True)
class LoadingWhen:
    """How a connector is loaded into where a field of a connection's config has this value."""

    field: str
    value: str
    loading: Loading


_BY_REPLACING = frozenset({MergeStrategy.DELETE_INSERT, MergeStrategy.SCD2})
_OF_POSTGRESQL = {
    LoadAbility.DELETES,
    LoadAbility.REPLAY,
    LoadAbility.COMPARE,
}
_TABLES = frozenset(LoadAbility) - _OF_POSTGRESQL
_COMPARED_TABLES = _TABLES | {LoadAbility.DELETES}
_NO_INSERT = frozenset(WriteDisposition) - {WriteDisposition.INSERT}

EVERYTHING = Loading(
    frozenset(WriteDisposition),
    frozenset(MergeStrategy),
    frozenset(LoadAbility),
    Guarantee.EXACTLY_ONCE,
)
TABLES_OF_A_FILE = Loading(
    frozenset(WriteDisposition), frozenset(MergeStrategy), _COMPARED_TABLES, Guarantee.EXACTLY_ONCE
)
TABLES_WITH_ROW_LOCKS = Loading(_NO_INSERT, _BY_REPLACING, _COMPARED_TABLES, Guarantee.EXACTLY_ONCE)
TABLES = Loading(_NO_INSERT, _BY_REPLACING, _TABLES, Guarantee.AT_LEAST_ONCE)
TABLES_BY_PREFIX = replace(TABLES, source=by_prefix)
FILES = Loading(
    frozenset({WriteDisposition.APPEND, WriteDisposition.REPLACE}),
    frozenset(),
    frozenset({LoadAbility.COUNT}),
    Guarantee.AT_LEAST_ONCE,
)
LAKES = Loading(
    _NO_INSERT,
    frozenset({MergeStrategy.DELETE_INSERT, MergeStrategy.UPSERT}),
    frozenset({LoadAbility.COUNT, LoadAbility.CONTRACT}),
    Guarantee.AT_LEAST_ONCE,
)
