"""Shows the first rows of one table of a source before anything is created from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.sample import LONGEST, read_sample, shown_column, type_name

MOST_CHARACTERS = 4_000_000  # of an answer; the service holds all of it in memory


@dataclass(frozen=True)
class PreviewColumn:
    """A column and the type that it would get at a PostgreSQL destination."""

    name: str
    type: str


@dataclass(frozen=True)
class Preview:
    """The first rows in the order of the source; `complete`: the table has no others."""

    columns: tuple[PreviewColumn, ...]
    rows: list[list[Any]]
    complete: bool


def preview(
    endpoint: Endpoint,
    files: Mapping[str, Path],
    source: str,
    *,
    limit: int,
    longest: int = LONGEST,
) -> Preview:
    """The first rows of the table that `source` names; fewer where they are very large.

    Values are cut at `longest` characters.

    Raises:
        TerminalError, TransientError: as the reader of the connector.
    """
    sample = read_sample(endpoint, files, source, rows=limit)
    columns = tuple(
        PreviewColumn(column.name, type_name(column)) for column in sample.table.columns
    )
    cells = [shown_column(sample.rows.column(column.name), longest) for column in columns]
    rows = [list(row) for row in zip(*cells, strict=True)]
    fitting = [size for size in accumulate(map(_characters, rows)) if size <= MOST_CHARACTERS]
    kept = max(1, len(fitting))
    return Preview(columns, rows[:kept], sample.complete and len(rows) <= kept)


def _characters(row: list[Any]) -> int:
    return sum(len(str(value)) for value in row)
