"""The table that a load makes at PostgreSQL, as SQL, and how it differs from one that is there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from etlfabric_core.extract_load.source_table import SourceColumn

TYPES = {
    "int64": "bigint",
    "uint64": "bigint",
    "double": "double precision",
    "bool": "boolean",
    "date32": "date",
    "timestamp": "timestamp with time zone",
    "string": "character varying",
}
OWN_COLUMNS = (("_dlt_load_id", "character varying"),)  # says which load brought a row
SAME = {"character varying": "text", "varchar": "text", "timestamptz": "timestamp with time zone"}


@dataclass(frozen=True)
class Difference:
    """A column that is not at the destination as it would be loaded; a type is None where it is
    not there at all."""

    column: str
    what: Literal["new", "missing", "other_type"]
    proposed: str | None
    existing: str | None


def defined(columns: Sequence[SourceColumn]) -> dict[str, str]:
    """The columns as they are called and typed at PostgreSQL."""
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    naming = NamingConvention(63)
    return {
        str(naming.normalize_identifier(column.name)): (
            column.destination_type or TYPES[column.arrow]
        )
        for column in columns
    }


def create_table(name: str, columns: Mapping[str, str]) -> str:
    """The statement that makes such a table; names are quoted."""
    lines = [f"    {_quoted(column)} {type_}" for column, type_ in columns.items()]
    lines += [f"    {_quoted(column)} {type_} NOT NULL" for column, type_ in OWN_COLUMNS]
    return f"CREATE TABLE {_quoted(name)} (\n" + ",\n".join(lines) + "\n);"


def differences(proposed: Mapping[str, str], existing: Mapping[str, str]) -> list[Difference]:
    """What a load would meet: new columns, those that it does not fill, and other types."""
    own = {column for column, _ in OWN_COLUMNS}
    found = [
        Difference(column, "other_type" if column in existing else "new", type_, old)
        for column, type_ in proposed.items()
        if _plain(old := existing.get(column)) != _plain(type_)
    ]
    unfilled = [name for name in existing if name not in proposed and name not in own]
    found += [Difference(name, "missing", None, existing[name]) for name in unfilled]
    return found


def _plain(type_: str | None) -> str | None:
    return SAME.get(type_, type_) if type_ else type_


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
