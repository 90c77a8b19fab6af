"""The schema contract of a resource, held against the table that is there, before anything is read.

It is kept here and not by dlt, which can neither refuse single rows of Arrow batches nor speak
of a change before it has written the load's other tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import DLT_TYPES, SourceColumn
from etlfabric_core.graph.columns import ColumnType
from etlfabric_core.graph.resources import Contract, ResourceConfig

# Types between which no value changes are one family.
FAMILIES = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "number",
    "real": "double",
    "double": "double",
    "double precision": "double",
    "text": "text",
    "character varying": "text",
    "varchar": "text",
    "character": "text",
    "boolean": "boolean",
    "bool": "boolean",
    "date": "date",
    "timestamp": "local timestamp",
    "timestamp without time zone": "local timestamp",
    "timestamp with time zone": "timestamp",
}


@dataclass(frozen=True)
class Fit:
    """The type that a column has already; values that it does not hold are left out, or rows."""

    type: ColumnType
    rejects: bool


@dataclass(frozen=True)
class Terms:
    """What a contract asks of a load, by the names that columns have in the table."""

    dropped: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()
    fitted: Mapping[str, Fit] = field(default_factory=dict)


def terms(
    resource: ResourceConfig, columns: Sequence[SourceColumn], there: Mapping[str, str]
) -> Terms | None:
    """What the contract asks; None: the table is not to be loaded.

    Raises:
        TerminalError: the contract forbids the change; says what it would be.
    """
    contract = resource.contract
    if not there:
        if contract.tables is Contract.FREEZE:
            raise _broken(resource, "tables", "the table does not exist")
        return Terms() if contract.tables is Contract.EVOLVE else None
    normal = {column.name: normal_name(column.name) for column in columns}
    new = frozenset(name for name in normal if normal[name] not in there)
    if new and contract.columns is Contract.FREEZE:
        raise _broken(resource, "columns", f"new are {', '.join(sorted(new))}")
    changed = {
        column.name: (type_of(column), family(there[normal[column.name]]))
        for column in columns
        if column.name not in new
    }
    changed = {name: types for name, types in changed.items() if types[0] != types[1]}
    if changed and contract.data_type is Contract.FREEZE:
        raise _broken(resource, "data_type", _words(changed))
    return Terms(
        dropped=new if contract.columns is Contract.DISCARD_VALUE else frozenset(),
        forbidden=new if contract.columns is Contract.DISCARD_ROW else frozenset(),
        fitted={} if contract.data_type is Contract.EVOLVE else _fitted(resource, changed),
    )


def _fitted(resource: ResourceConfig, changed: Mapping[str, tuple[str, str]]) -> dict[str, Fit]:
    known, masked = set(ColumnType), _masked(resource)  # what a mask makes is text for good
    if hopeless := {
        name: types for name, types in changed.items() if types[1] not in known or name in masked
    }:
        raise _broken(resource, "data_type", f"nothing fits: {_words(hopeless)}")
    rejects = resource.contract.data_type is Contract.DISCARD_ROW
    return {name: Fit(ColumnType(there), rejects) for name, (_, there) in changed.items()}


def _masked(resource: ResourceConfig) -> set[str]:
    columns = {column.name or name for name, column in resource.columns.items() if column.mask}
    return columns | {name for name, column in resource.calculated.items() if column.mask}


def _words(changed: Mapping[str, tuple[str, str]]) -> str:
    return ", ".join(f"{name} is {new}, was {old}" for name, (new, old) in sorted(changed.items()))


def _broken(resource: ResourceConfig, entity: str, words: str) -> TerminalError:
    return TerminalError(
        f"resource '{resource.name}', contract.{entity}: {words}; nothing was written",
        hint="change the source or the columns, or let the contract evolve",
    )


def type_of(column: SourceColumn) -> str:
    """The family of types that a column arrives as."""
    if column.arrow == "timestamp" and not column.destination_type:
        return family("timestamp with time zone")
    return family(column.destination_type or DLT_TYPES[column.arrow])


def family(type_: str) -> str:
    """The family of a type of the destination."""
    plain = " ".join(type_.partition("(")[0].split() + type_.partition(")")[2].split())
    return FAMILIES.get(plain, plain)


def normal_name(name: str) -> str:
    """A column as it is called at the destination."""
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    return str(NamingConvention(63).normalize_identifier(name))
