"""What a source can hold and PostgreSQL cannot: refused by name, since it would change silently."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import SourceColumn

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Limit:
    """Texts, as a regular expression, that a destination type would not keep as they are."""

    types: tuple[str, ...]
    texts: str
    what: str
    hint: str


LIMITS = (
    Limit(
        ("timestamp", "time"),
        r"\.\d{6}\d*[1-9]",
        "a time finer than a microsecond",
        "round the column in a view at the source",
    ),
    Limit(
        ("timestamp", "date"),
        r"^0000-|^\d{4}-00-|^\d{4}-\d\d-00",
        "a date that does not exist, such as 0000-00-00",
        "set zero_dates to 'null' in the connection to load such dates as NULL",
    ),
)


def require_exact(
    table: str, columns: tuple[SourceColumn, ...], batch: "pyarrow.Table"
) -> "pyarrow.Table":
    """The batch itself.

    Raises:
        TerminalError: a value would not arrive as it is; names the column.
    """
    from pyarrow import compute

    for place, column in enumerate(columns):
        for limit in LIMITS:
            if column.arrow != "string" or not str(column.destination_type).startswith(limit.types):
                continue
            found = compute.any(compute.match_substring_regex(batch.column(place), limit.texts))
            if found.as_py():
                raise TerminalError(
                    f"table '{table}', column '{column.name}': {limit.what}", hint=limit.hint
                )
    return batch
