"""What is read of a source beside rows, to be compared with afterwards: how many, which keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load import contract
from etlfabric_core.extract_load.shape.compile import compile_shape
from etlfabric_core.extract_load.shape.outputs import outputs_of
from etlfabric_core.extract_load.shape.rejected import Quarantine
from etlfabric_core.extract_load.shape.rows import Shape
from etlfabric_core.extract_load.source_table import Selection, SourceColumn, SourceTable
from etlfabric_core.extract_load.typed import Holds, arriving_column
from etlfabric_core.graph.columns import ColumnConfig
from etlfabric_core.graph.resources import DELETED_AT, ResourceConfig

if TYPE_CHECKING:
    import pyarrow

LEFT_OUT = {"include": False}


@dataclass
class RowCount:
    """How many rows of one table meet the filters at the source; None: not counted yet."""

    rows: int | None = None


@dataclass
class KeySet:
    """All keys of one table at the source, masked where they are, in a file of the work directory.

    `shape` makes them from rows. Rows that are refused for another column have a key too.
    """

    config: ResourceConfig
    shape: Shape
    path: Path
    rows: int = 0
    is_complete: bool = False
    _writer: "pyarrow.ipc.RecordBatchFileWriter | None" = field(default=None, repr=False)

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """The columns of the key as they are loaded."""
        return self.shape.columns

    def passing(self, batches: "Iterator[pyarrow.Table]") -> "Iterator[pyarrow.Table]":
        """The same batches, which must be all of the source; their keys are kept."""
        for batch in batches:
            self._add(batch)
            yield batch
        self._close()

    def read(self, source: SourceTable) -> None:
        """Reads the keys alone, unless all rows came by."""
        if self.is_complete:
            return
        needed = {column.name for column in self.shape.inputs} | set(self.shape.raw)
        needed |= {output.source.name for output in self.shape.outputs if output.source}
        selection = Selection(filters=self.config.filters, columns=frozenset(needed))
        for batch in source.read(selection):
            self._add(batch)
        self._close()

    def batches(self) -> "Iterator[pyarrow.Table]":
        """All that were kept."""
        import pyarrow as pa

        if self._writer is None:
            return
        with pa.ipc.open_file(self.path) as reader:
            for place in range(reader.num_record_batches):
                yield pa.Table.from_batches([reader.get_batch(place)])

    def _add(self, batch: "pyarrow.Table") -> None:
        import pyarrow as pa

        keys = self.shape.batch(batch)
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pa.ipc.new_file(self.path, keys.schema)
        self._writer.write_table(keys)
        self.rows += keys.num_rows

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self.is_complete = True


def key_set(
    resource: ResourceConfig,
    source: SourceTable,
    path: Path,
    there: Mapping[str, str],
    mask_key: bytes,
    holds: Holds | None = None,
) -> KeySet:
    """The keys of a resource, to be read; `there` are the types of its table's columns.

    `holds` is what these can be, None: whatever PostgreSQL has.

    Raises:
        TerminalError: the source has a column where deletes are marked, or its key cannot be made.
    """
    names = [contract.normal_name(output.name) for output in outputs_of(resource, source)]
    if DELETED_AT in names:
        raise TerminalError(
            f"resource '{resource.name}', deletes: the source has a column '{DELETED_AT}' itself",
            hint="rename the column",
        )
    narrow = _key_alone(resource)
    outgoing = [arriving_column(output.column, holds) for output in outputs_of(narrow, source)]
    refused = Quarantine(path.with_suffix(".refused"), resource.name, resource.max_rejected)
    shape = compile_shape(
        narrow,
        source,
        key=mask_key,
        quarantine=refused if resource.has_quarantine else None,
        terms=contract.terms(narrow, outgoing, there) or contract.Terms(),
    )
    return KeySet(narrow, shape, path)


def _key_alone(resource: ResourceConfig) -> ResourceConfig:
    """The resource with no columns but those of its key."""
    key = set(resource.primary_key)
    columns = {
        name: column if (column.name or name) in key else column.model_copy(update=LEFT_OUT)
        for name, column in resource.columns.items()
    }
    loaded = {column.name or name for name, column in columns.items() if column.include}
    calculated = {name: one for name, one in resource.calculated.items() if name in key}
    plain = key - loaded - calculated.keys()
    changes = {
        "columns": {**columns, **{name: ColumnConfig() for name in sorted(plain)}},
        "calculated": calculated,
        "other_columns": "exclude",
    }
    return resource.model_copy(update=changes)
