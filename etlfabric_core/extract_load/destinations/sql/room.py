"""Whether the columns that are there have room for what comes: nothing is cut or rounded."""

from collections.abc import Mapping, Sequence
from typing import Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.contract import normal_name
from etlfabric_core.extract_load.source_table import SourceColumn
from etlfabric_core.extract_load.typed import Holds, TypedColumn, typed

WORDS = {
    "bigint": "bigint",
    "text": "text",
    "double": "double precision",
    "bool": "boolean",
    "date": "date",
    "binary": "bytea",
    "json": "jsonb",
    "time": "time",
}
DECIMALS = ("decimal", "wei")


def word(column: Mapping[str, Any]) -> str:
    """The type of a column that dlt found, in PostgreSQL's words."""
    kind = column["data_type"]
    if kind in DECIMALS:
        return "numeric({},{})".format(*_digits(column))
    if kind == "timestamp":
        return "timestamp" if column.get("timezone") is False else "timestamp with time zone"
    return WORDS[kind]


def require(
    table: str, columns: Sequence[SourceColumn], there: Mapping[str, Any], holds: Holds
) -> None:
    """Checks that every column that is there holds all values of the one that comes.

    Raises:
        TerminalError: one does not.
    """
    for column in columns:
        given, kept = typed(column, holds), there.get(normal_name(column.name))
        if kept is not None and not _fits(given, kept):
            raise TerminalError(
                f"table '{table}', column '{column.name}': it is {word(kept)} at the destination "
                f"and would be {given.word} now, so values could change; nothing was written",
                hint="give the column its former type, or load into a new table",
            )


def _fits(given: TypedColumn, kept: Mapping[str, Any]) -> bool:
    hint = given.hint
    if hint["data_type"] != "decimal":
        return given.word == word(kept) or hint["data_type"] == kept["data_type"] == "timestamp"
    if kept["data_type"] not in DECIMALS:
        return False
    precision, scale = _digits(kept)
    return bool(precision - scale >= hint["precision"] - hint["scale"] and scale >= hint["scale"])


def _digits(column: Mapping[str, Any]) -> tuple[int, int]:
    return int(column.get("precision") or 0), int(column.get("scale") or 0)
