"""Rejected rows: kept beside the load until its other rows are through, then loaded with them."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
)
NUL = "\\u0000"  # which PostgreSQL cannot store
VISIBLE_NUL = "\\u2400"


@dataclass(frozen=True)
class Refusal:
    """Why a row is not loaded, and where it stands (None: in no file)."""

    column: str
    reason: str
    file: str | None = None
    line: int | None = None


@dataclass
class Quarantine:
    """The rejected rows of one table and one load, masked, in a file of the work directory."""

    path: Path
    table: str
    limit: int
    count: int = 0
    _copies: Counter[str] = field(default_factory=Counter)
    _writer: "pyarrow.ipc.RecordBatchFileWriter | None" = None

    def add(self, refusals: Sequence[Refusal], rows: Sequence[dict[str, Any]]) -> None:
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

    def _entry(self, why: Refusal, row: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(row, ensure_ascii=True, default=str).replace(NUL, VISIBLE_NUL)
        return {
            "id": self._id(f"{why.file}/{why.line}/{text}"),
            "rejected_at": clock.now(),
            "column": why.column,
            "reason": why.reason,
            "file": why.file,
            "line": why.line,
            "row": text,
        }

    def _id(self, content: str) -> str:
        """The same row gets the same id when it is met again, and two equal rows get two."""
        digest = hashlib.sha256(content.encode()).hexdigest()[:32]
        self._copies[digest] += 1
        copy = self._copies[digest]
        return digest if copy == 1 else f"{digest}-{copy}"
