"""Rejected rows: kept beside the load until its other rows are through, then loaded with them."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etlfabric_core import clock
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import SourceColumn, arrow_schema

if TYPE_CHECKING:
    import pyarrow

SUFFIX = "__rejected"
COLUMNS = (
    SourceColumn("id", "string", "text"),
    SourceColumn("rejected_at", "timestamp"),
    SourceColumn("column", "string", "text"),
    SourceColumn("reason", "string", "text"),
    SourceColumn("file", "string", "text"),
    SourceColumn("line", "int64", "bigint"),
    SourceColumn("row", "string", "jsonb"),
    SourceColumn("read_as", "string", "jsonb"),
)
NUL = "\0"  # which PostgreSQL cannot store
VISIBLE_NUL = "\u2400"


@dataclass(frozen=True)
class Refusal:
    """Why a row is not loaded, and where it stands (None: in no file).

    `position` is its number among those that were read.
    """

    column: str
    reason: str
    file: str | None = None
    line: int | None = None
    position: int = 0


@dataclass(frozen=True)
class ReadAs:
    """How a rejected row was read: what has to be known to load it later (see `replay`).

    It met the `filters`. `left_out` are columns of the source that it is kept without. `masked`
    are those whose values are not the source's, with what was said about them: the values are
    what would have been loaded. None says that nothing is left of the value.
    """

    filters: tuple[Mapping[str, Any], ...] = ()
    left_out: tuple[str, ...] = ()
    masked: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)

    def without(self, lost: Collection[str]) -> "ReadAs":
        """The same, of a row in which nothing is left of some values."""
        return replace(self, masked={**self.masked, **dict.fromkeys(lost)}) if lost else self

    def text(self) -> str:
        """As JSON."""
        content = {"filters": self.filters, "left_out": self.left_out, "masked": self.masked}
        return json.dumps(content, ensure_ascii=True)


@dataclass(frozen=True)
class RawRow:
    """A row as the source has it, masked where its columns are, and how it was read."""

    values: Mapping[str, Any]
    read_as: ReadAs


@dataclass
class Quarantine:
    """The rejected rows of one table and one load, masked, in a file of the work directory."""

    path: Path
    table: str
    limit: int
    count: int = 0
    _copies: Counter[str] = field(default_factory=Counter)
    _writer: "pyarrow.ipc.RecordBatchFileWriter | None" = None

    def add(self, refusals: Sequence[Refusal], rows: Sequence[RawRow]) -> None:
        """Keeps rows.

        Raises:
            TerminalError: they are more than the limit.
        """
        import pyarrow as pa

        self.count += len(rows)
        if self.count > self.limit:
            first = refusals[0]
            raise TerminalError(
                f"table '{self.table}': more than {self.limit} rows are rejected, "
                f"among them for column '{first.column}': {first.reason}",
                hint="correct the source or the columns, or raise max_rejected",
            )
        schema = arrow_schema(COLUMNS)
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pa.ipc.new_file(self.path, schema)
        entries = [self._entry(why, row) for why, row in zip(refusals, rows, strict=True)]
        self._writer.write_table(pa.Table.from_pylist(entries, schema=schema))

    def batches(self) -> "Iterator[pyarrow.Table]":
        """All that were kept, after an empty batch: the table exists all the same."""
        import pyarrow as pa

        yield arrow_schema(COLUMNS).empty_table()
        if self._writer is None:
            return
        self._writer.close()
        with pa.ipc.open_file(self.path) as reader:
            for place in range(reader.num_record_batches):
                yield pa.Table.from_batches([reader.get_batch(place)])

    def _entry(self, why: Refusal, row: RawRow) -> dict[str, Any]:
        changed = {name for name, one in row.values.items() if isinstance(one, str) and NUL in one}
        values = {
            name: one.replace(NUL, VISIBLE_NUL) if name in changed else one
            for name, one in row.values.items()
        }
        text = json.dumps(values, ensure_ascii=True, default=str)
        return {
            "id": self._id(f"{why.file}/{why.line}/{text}"),
            "rejected_at": clock.now(),
            "column": why.column,
            "reason": why.reason,
            "file": why.file,
            "line": why.line,
            "row": text,
            "read_as": row.read_as.without(changed).text(),
        }

    def _id(self, content: str) -> str:
        """The same row gets the same id when it is met again, and two equal rows get two."""
        digest = hashlib.sha256(content.encode()).hexdigest()[:32]
        self._copies[digest] += 1
        copy = self._copies[digest]
        return digest if copy == 1 else f"{digest}-{copy}"
