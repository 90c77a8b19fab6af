"""JSON and JSON Lines files as one table: read twice, once for the types and once for the rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from etlfabric_core.connectors import json as connector
from etlfabric_core.connectors.files import JsonOptions
from etlfabric_core.extract_load.shape.selection import numbered, selected
from etlfabric_core.extract_load.source_table import Selection, SourceTable
from etlfabric_core.extract_load.sources import json_fields
from etlfabric_core.files.formats import File, Format
from etlfabric_core.files.json_records import Record
from etlfabric_core.graph.columns import ColumnType

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class JsonFiles:
    """Files of one format, by name, that make one table."""

    files: Mapping[str, File]
    kind: Format | None
    options: JsonOptions
    batch_size: int
    types: Mapping[str, ColumnType] = field(default_factory=dict)

    def table(self, name: str) -> SourceTable:
        """The table; its columns are the fields of all records of all files.

        Raises:
            TerminalError: a file is not JSON, or values of one field are of different kinds.
        """
        every = chain.from_iterable(map(self._records, self.files))
        fields = json_fields.inferred(every, self.options.fields, self.types)

        columns = json_fields.columns(fields)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            records = chain.from_iterable(map(self._records, self.files))
            batches = json_fields.batches(records, fields, self.batch_size)
            return selected(numbered(batches), columns, selection, self.types)

        has_lines = self.kind is Format.JSON_LINES
        places = _Places(self).of if has_lines else None
        return SourceTable(name, columns, read, places=places, are_seen=True)

    def _records(self, name: str) -> Iterator[Record]:
        return connector.records(self.files[name], name, self.kind, self.options.records)

    def lines(self) -> Iterator[tuple[str, int]]:
        """File and line of every record."""
        for name in self.files:
            yield from ((name, record.line) for record in self._records(name))


@dataclass
class _Places:
    """Finds files and lines of records, going through the files once."""

    of_files: JsonFiles
    _lines: Iterator[tuple[str, int]] = field(default_factory=lambda: iter(()), init=False)
    _at: int = field(default=0, init=False)
    _place: tuple[str, int] = field(default=("", 0), init=False)

    def of(self, positions: Sequence[int]) -> list[tuple[str, int]]:
        """Where records stand. Positions count from 1 over all files and ascend."""
        return [self._find(position) for position in positions]

    def _find(self, position: int) -> tuple[str, int]:
        if self._at == 0 or position < self._at:
            self._lines, self._at = self.of_files.lines(), 0
        while self._at < position:
            self._place = next(self._lines)
            self._at += 1
        return self._place
