"""Takes the batches of one resource through its shape."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.shape.engine import PLACE, Engine
from etlfabric_core.extract_load.shape.masks import masked
from etlfabric_core.extract_load.shape.outputs import Output
from etlfabric_core.extract_load.shape.rejected import Quarantine, RawRow, ReadAs, Refusal
from etlfabric_core.extract_load.shape.statement import Rule
from etlfabric_core.extract_load.source_table import (
    POSITION,
    SourceColumn,
    SourceTable,
    arrow_type,
)
from etlfabric_core.graph.columns import Mask

if TYPE_CHECKING:
    import pyarrow

REFUSED = "refused"
LOST = "w{place}"  # whether the value of a masked column is the reason, or one of them


@dataclass
class Shape:
    """How the rows of one resource become those of its table.

    `query` computes the columns named o0, o1, … by their place in `outputs`, and the number of
    the rule that refuses a row. `inputs` are the columns of the source that it reads. `required`
    are outputs that must have a value, `forbidden` those that must have none. `raw` are columns of
    the source that a rejected row is kept with, `redacted` those of them that nobody may see;
    `read_as` says how they are read.
    """

    source: SourceTable
    outputs: tuple[Output, ...]
    inputs: tuple[SourceColumn, ...] = ()
    query: str | None = None
    rules: tuple[Rule, ...] = ()
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    raw: tuple[str, ...] = ()
    redacted: frozenset[str] = frozenset()
    read_as: ReadAs = field(default_factory=ReadAs)
    key: bytes = b""
    fails: bool = False
    quarantine: Quarantine | None = None
    engine: Engine | None = None
    rows: int = field(default=0, init=False)

    @property
    def columns(self) -> tuple[SourceColumn, ...]:
        """What leaves."""
        return tuple(one.column for one in self.outputs if one.name not in self.forbidden)

    def batches(self, batches: "Iterator[pyarrow.Table]") -> "Iterator[pyarrow.Table]":
        """The batches of the source, shaped.

        Raises:
            TerminalError: a row is refused and there is no quarantine, or too many are.
        """
        for batch in batches:
            yield self.batch(batch)

    def batch(self, batch: "pyarrow.Table") -> "pyarrow.Table":
        """One batch, shaped; refused rows go to the quarantine.

        Raises:
            TerminalError: as `batches`.
        """
        import pyarrow as pa
        from pyarrow import compute

        before, self.rows = self.rows, self.rows + batch.num_rows
        computed = self._computed(batch)
        values = {one.name: self._values(batch, computed, place) for place, one in self._placed()}
        refused = self._refusals(values, computed)
        if refused is not None:
            self._put_aside(batch, values, computed, refused, before)
            good = compute.invert(compute.is_valid(refused))
            values = {name: column.filter(good) for name, column in values.items()}
        columns = self.columns
        schema = pa.schema([pa.field(column.name, arrow_type(column)) for column in columns])
        return pa.Table.from_arrays([values[column.name] for column in columns], schema=schema)

    def _placed(self) -> "Iterator[tuple[int, Output]]":
        return enumerate(self.outputs)

    def _computed(self, batch: "pyarrow.Table") -> "pyarrow.Table | None":
        if self.query is None or self.engine is None:
            return None
        return _run(self.engine, named(batch, self.inputs), self.query, self.source.name)

    def _values(
        self, batch: "pyarrow.Table", computed: "pyarrow.Table | None", place: int
    ) -> "pyarrow.ChunkedArray":
        output = self.outputs[place]
        if output.is_computed and computed is not None:
            values = computed.column(f"o{place}").cast(arrow_type(output.unmasked))
        else:
            assert output.source is not None  # noqa: S101 (what is not computed is of the source)
            values = batch.column(output.source.name)
        return values if output.mask is None else masked(values, output.mask, self.key)

    def _refusals(
        self, values: "dict[str, pyarrow.ChunkedArray]", computed: "pyarrow.Table | None"
    ) -> "pyarrow.ChunkedArray | None":
        """Per row the number of what refuses it; None: no row is refused."""
        import pyarrow as pa
        from pyarrow import compute

        found = None
        if computed is not None and computed.column(REFUSED).null_count < computed.num_rows:
            found = computed.column(REFUSED).cast(pa.int32())
        last = len(self.rules)
        for place, name in enumerate((*self.required, *self.forbidden)):
            column = values[name]
            wanted = name in self.required
            if column.null_count == (0 if wanted else len(column)):
                continue
            hit = compute.is_null(column) if wanted else compute.is_valid(column)
            number = compute.if_else(hit, pa.scalar(last + place, pa.int32()), None)
            found = number if found is None else compute.coalesce(found, number)
        return found

    def _put_aside(
        self,
        batch: "pyarrow.Table",
        values: "dict[str, pyarrow.ChunkedArray]",
        computed: "pyarrow.Table | None",
        refused: "pyarrow.ChunkedArray",
        before: int,
    ) -> None:
        from pyarrow import compute

        bad = compute.is_valid(refused)
        numbers = refused.filter(bad).to_pylist()
        places = compute.indices_nonzero(bad).to_pylist()
        wrong = [n for n, number in enumerate(numbers) if self.fails and self._is_wrong(number)]
        if wrong:
            numbers, places = [numbers[wrong[0]]], [places[wrong[0]]]
        positions = (
            batch.column(POSITION).take(places).to_pylist()
            if POSITION in batch.column_names
            else [before + place + 1 for place in places]
        )
        nowhere: list[tuple[str | None, int | None]] = [(None, None)] * len(positions)
        found = self.source.places(positions) if self.source.places else nowhere
        refusals = [
            Refusal(*self._why(n), *place, position)
            for n, place, position in zip(numbers, found, positions, strict=True)
        ]
        if wrong or self.quarantine is None:
            raise self._wrong(refusals[0])
        self.quarantine.add(refusals, self._raw_rows(batch, values, computed, places))

    def _is_wrong(self, number: int) -> bool:
        """Not only outside of the contract, which says itself what happens then."""
        if number < len(self.rules):
            return not self.rules[number].by_contract
        return number < len(self.rules) + len(self.required)

    def _why(self, number: int) -> tuple[str, str]:
        if number < len(self.rules):
            return self.rules[number].column, self.rules[number].reason
        name = (*self.required, *self.forbidden)[number - len(self.rules)]
        if name in self.required:
            return name, "no value, though it is part of the key"
        return name, "the contract allows no new column"

    def _wrong(self, refusal: Refusal) -> TerminalError:
        where = f"table '{self.source.name}', row {refusal.position} of those read"
        if refusal.file is not None:
            where = f"file '{refusal.file}', line {refusal.line}"
        return TerminalError(
            f"{where}, column '{refusal.column}': {refusal.reason}",
            hint="correct the value, load the column as text, or set on_bad_row to quarantine",
        )

    def _raw_rows(
        self,
        batch: "pyarrow.Table",
        values: "dict[str, pyarrow.ChunkedArray]",
        computed: "pyarrow.Table | None",
        places: Sequence[int],
    ) -> list[RawRow]:
        """Rows as the source has them, but masked where their columns are."""
        masks = {o.source.name: o.name for o in self.outputs if o.source and o.mask}
        columns = []
        for name in self.raw:
            column = values[masks[name]] if name in masks else batch.column(name)
            if name in self.redacted:
                column = masked(column, Mask.REDACT, self.key)
            columns.append(_plain(column.take(places)))
        ways = [self.read_as.without(lost) for lost in self._lost(computed, places)]
        return [
            RawRow(dict(zip(self.raw, row, strict=True)), read_as)
            for read_as, *row in zip(ways, *columns, strict=True)
        ]

    def _lost(
        self, computed: "pyarrow.Table | None", places: Sequence[int]
    ) -> "Iterator[list[str]]":
        """Per row the columns whose value did not fit: masked is what they became of it."""
        masked = {
            output.source.name: LOST.format(place=place)
            for place, output in self._placed()
            if output.source and output.mask and output.is_computed
        }
        if computed is None or not masked:
            yield from ([] for _ in places)
            return
        flags = [computed.column(name).take(places).to_pylist() for name in masked.values()]
        for row in zip(*flags, strict=True):
            yield [name for name, is_lost in zip(masked, row, strict=True) if is_lost]


def named(batch: "pyarrow.Table", inputs: Sequence[SourceColumn]) -> "pyarrow.Table":
    """The inputs as c0, c1, … beside their PLACE; times without the zone, which is UTC."""
    import pyarrow as pa

    arrays = [batch.column(column.name) for column in inputs]
    plain = [
        array.cast(pa.timestamp("us")) if pa.types.is_timestamp(array.type) else array
        for array in arrays
    ]
    inputs_by_place = {f"c{place}": array for place, array in enumerate(plain)}
    return pa.table({PLACE: pa.arange(0, batch.num_rows), **inputs_by_place})


def _run(engine: Engine, batch: "pyarrow.Table", query: str, source: str) -> "pyarrow.Table":
    """DuckDB's own words can repeat values, so they are not passed on."""
    import duckdb

    try:
        return engine.rows(batch, query)
    except duckdb.Error as error:
        raise TerminalError(
            f"'{source}': a batch cannot be computed ({type(error).__name__})",
            hint="make the expressions simpler, or the batch_size smaller",
        ) from None


def _plain(values: "pyarrow.ChunkedArray") -> list[Any]:
    import pyarrow as pa

    if pa.types.is_temporal(values.type):
        values = values.cast(pa.string())
    plain: list[Any] = values.to_pylist()
    if pa.types.is_floating(values.type):
        return [v if v is None or _is_json(v) else str(v) for v in plain]
    return plain


def _is_json(number: float) -> bool:
    """Whether JSON, and PostgreSQL's kind of it, says the same number; -0.0 would become 0."""
    return math.isfinite(number) and (number != 0 or math.copysign(1, number) > 0)
