"""Shapes of small tables of texts, as a CSV file gives them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from etlfabric_core.extract_load.shape.compile import compile_shape
from etlfabric_core.extract_load.shape.rejected import Quarantine
from etlfabric_core.extract_load.source_table import SourceColumn, SourceTable, arrow_schema
from etlfabric_core.graph.resources import ResourceConfig

Rows = list[dict[str, Any]]
Shaped = Callable[..., tuple[Rows, Rows]]


@pytest.fixture
def shaped(tmp_path: Path) -> Shaped:
    """Shapes rows; answers those that are loaded, and those that are rejected."""

    def run(
        rows: Sequence[Sequence[Any]],
        given: Sequence[SourceColumn] | str,
        /,
        **config: Any,
    ) -> tuple[Rows, Rows]:
        if isinstance(given, str):
            given = [SourceColumn(name, "string", "text") for name in given.split()]
        source = SourceTable("t", tuple(given), lambda selection: iter(()))
        quarantine = Quarantine(tmp_path / "t.arrow", "t", 1000)
        resource = ResourceConfig.model_validate(
            {"name": "t", "on_bad_row": "quarantine", **config}
        )
        shape = compile_shape(resource, source, key=b"key", quarantine=quarantine)
        arrays = [list(values) for values in zip(*rows, strict=True)]
        batch = pa.table(arrays, schema=arrow_schema(source.columns))
        loaded = shape.batch(batch).to_pylist()
        return loaded, [row for part in quarantine.batches() for row in part.to_pylist()]

    return run
