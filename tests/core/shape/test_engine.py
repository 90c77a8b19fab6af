"""A batch comes out of DuckDB in the order in which it went in."""

import pyarrow as pa
import pytest

from etlfabric_core.extract_load.shape.casts import Kind, cast
from etlfabric_core.extract_load.shape.engine import PLACE, Engine
from etlfabric_core.graph.columns import ColumnType

SIZES = {"even": [2048] * 5, "tails": [2060, 4100, 2049, 30, 1, 2110], "one": [9000]}


@pytest.mark.feature("C5")
@pytest.mark.parametrize("sizes", SIZES)
def test_rows_stay_in_their_order_however_a_batch_is_cut(sizes):
    """A list of words to compare with becomes a join, which holds back the end of each chunk."""
    numbers = iter(range(sum(SIZES[sizes])))
    chunks = [pa.array([str(next(numbers)) for _ in range(size)]) for size in SIZES[sizes]]
    words = [pa.array(["t"] * size) for size in SIZES[sizes]]
    places = pa.arange(0, sum(SIZES[sizes]))
    batch = pa.table({PLACE: places, "c0": pa.chunked_array(chunks), "c1": pa.chunked_array(words)})
    integer = cast("c0", Kind.TEXT, ColumnType.INTEGER)
    truth = cast("c1", Kind.TEXT, ColumnType.BOOLEAN)
    made = Engine.open().rows(batch, f"SELECT place, {integer} AS o0, {truth} AS o1 FROM batch")
    assert made.num_rows == batch.num_rows
    assert made.column("o0").to_pylist() == list(range(batch.num_rows))
