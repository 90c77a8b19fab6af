"""Columns of Delta tables: Delta's types, those of Parquet files, and PostgreSQL's words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etlfabric_core.errors import TerminalError

OF_ARROW = {
    "int64": "long",
    "double": "double",
    "bool": "boolean",
    "date32[day]": "date",
    "string": "string",
    "large_string": "string",
    "binary": "binary",
    "large_binary": "binary",
    "timestamp[us, tz=UTC]": "timestamp",
    "timestamp[us]": "timestamp_ntz",
}
WORDS = {
    "long": "bigint",
    "double": "double precision",
    "boolean": "boolean",
    "date": "date",
    "string": "text",
    "binary": "bytea",
    "timestamp": "timestamp with time zone",
    "timestamp_ntz": "timestamp",
}
LOCAL_TIME = "timestamp_ntz"  # a feature of its own, which older readers do not know
Field = Mapping[str, Any]


def word(type_: Any) -> str:
    """A type of Delta's in PostgreSQL's words; what loads do not write keeps its own name."""
    name = str(type_)
    return WORDS.get(name) or name.replace("decimal", "numeric")


def columns_of(file: Path) -> dict[str, str]:
    """The columns of a Parquet file in Delta's types.

    Raises:
        TerminalError: Delta has no such type.
    """
    from pyarrow.parquet import read_schema

    return {field.name: _of_arrow(field.name, field.type) for field in read_schema(file)}


def _of_arrow(name: str, type_: Any) -> str:
    import pyarrow as pa

    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    if pa.types.is_decimal128(type_):
        return f"decimal({type_.precision},{type_.scale})"
    if str(type_) not in OF_ARROW:
        raise TerminalError(
            f"column '{name}': a Delta table does not hold {type_}",
            hint="give the column the type text",
        )
    return OF_ARROW[str(type_)]


def joined(table: str, there: Sequence[Field], coming: Mapping[str, str]) -> tuple[Field, ...]:
    """The columns of a table after files with these columns are part of it.

    Raises:
        TerminalError: a column has another type there.
    """
    known = {str(field["name"]).lower(): field for field in there}
    made = list(there)
    for name, type_ in coming.items():
        kept = known.get(name.lower())
        if kept is None:
            made.append({"name": name, "type": type_, "nullable": True, "metadata": {}})
        elif (kept["name"], kept["type"]) != (name, type_):
            raise no_room(table, name, word(kept["type"]), word(type_))
    return tuple(made)


def no_room(table: str, column: str, kept: str, given: str) -> TerminalError:
    """The error of a column that holds other values than those that come."""
    return TerminalError(
        f"table '{table}', column '{column}': it is {kept} at the destination and would be "
        f"{given} now, so values could change; nothing was written",
        hint="give the column its former type, or load into a new table",
    )
