"""What the columns of a CSV file hold, batch by batch, and the type that each is proposed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etlfabric_core.extract_load.inspection.candidates import (
    CANDIDATES,
    Candidate,
    facts_query,
    misfit_query,
)
from etlfabric_core.extract_load.inspection.distinct import Distinct
from etlfabric_core.extract_load.shape.engine import Engine
from etlfabric_core.extract_load.source_table import POSITION, SourceTable
from etlfabric_core.graph.columns import ColumnType, FunctionCall

if TYPE_CHECKING:
    import pyarrow

ENOUGH = 0.9  # of the values must be of a type that is proposed
EXAMPLES = 5
MOST_MISFITS = 20  # different values that do not fit are shown with their lines
LONGEST = 100  # characters of a value that is shown
LINES_WITHIN = 1_000_000  # rows; finding the line of a later one takes too long


@dataclass
class Misfit:
    """A value that is not of the proposed type: the row where it is met first, and its line."""

    value: str
    row: int
    line: int | None = None


@dataclass(frozen=True)
class ColumnFound:
    """A column and what is proposed for it.

    `least` and `greatest` are by the order of the proposed type. `distinct` is exact where
    `distinct_is_exact` says so. `misfits` counts values that are not of the type.
    """

    name: str
    type: ColumnType
    functions: tuple[FunctionCall, ...]
    evidence: str
    nulls: int
    distinct: int
    distinct_is_exact: bool
    least: str | None
    greatest: str | None
    longest: int
    examples: tuple[str, ...]
    misfits: int
    first_misfits: tuple[Misfit, ...]


@dataclass
class _Tally:
    """How a type does for a column."""

    candidate: Candidate
    fits: int = 0
    against: int = 0
    proofs: int = 0
    bounds: list[tuple[Any, str]] = field(default_factory=list)
    misfits: dict[str, Misfit] = field(default_factory=dict)


@dataclass
class _Column:
    rows: int = 0
    values: int = 0
    longest: int = 0
    words: set[str] = field(default_factory=set)
    worded: int = 0
    least: str | None = None
    greatest: str | None = None
    examples: tuple[str, ...] = ()
    distinct: Distinct = field(default_factory=Distinct)
    tallies: list[_Tally] = field(default_factory=lambda: [_Tally(one) for one in CANDIDATES])


class Columns:
    """The columns of a file; `add` takes in its batches, with positions, one by one."""

    def __init__(self, names: Sequence[str]) -> None:
        self._columns = {name: _Column() for name in names}
        self._engine = Engine.open()

    def add(self, batch: "pyarrow.Table") -> None:
        """Takes in a batch."""
        import pyarrow as pa

        for name, column in self._columns.items():
            one = pa.table({"v": batch.column(name), "p": batch.column(POSITION)})
            self._add(column, one)

    def found(self, table: SourceTable) -> tuple[ColumnFound, ...]:
        """What was found; the lines of values are looked up in the file."""
        chosen = {name: _chosen(column) for name, column in self._columns.items()}
        misfits = [one for tally in chosen.values() if tally for one in tally.misfits.values()]
        _place(misfits, table)
        return tuple(_found(name, self._columns[name], tally) for name, tally in chosen.items())

    def _add(self, column: _Column, batch: "pyarrow.Table") -> None:
        tallies = column.tallies
        query = facts_query(
            [tally.candidate for tally in tallies],
            column.distinct.bound,
            examples=EXAMPLES if column.rows == 0 else 0,
        )
        (facts,) = self._engine.run(batch, query).to_pylist()
        column.rows += batch.num_rows
        column.values += facts["n"]
        column.longest = max(column.longest, facts["longest"] or 0)
        column.worded += facts["worded"]
        column.words.update(facts["words"] or ())
        column.distinct.add(facts["hashes"] or ())
        _extend(column, facts)
        for place, tally in enumerate(tallies):
            fits = facts[f"fits{place}"]
            tally.fits += fits
            tally.against += facts[f"against{place}"]
            tally.proofs += facts[f"proofs{place}"]
            tally.bounds += [
                (facts[f"{side}_key{place}"], facts[f"{side}{place}"])
                for side in ("least", "greatest")
                if facts[f"{side}_key{place}"] is not None
            ]
            tally.bounds = _outermost(tally.bounds)
            if fits + facts["worded"] < facts["n"] and len(tally.misfits) < MOST_MISFITS:
                self._misfits(tally, batch)
        wanted = ENOUGH * (column.values - column.worded)
        column.tallies = [one for one in tallies if one.fits >= wanted and not one.against]

    def _misfits(self, tally: _Tally, batch: "pyarrow.Table") -> None:
        query = misfit_query(tally.candidate, MOST_MISFITS)
        for row in self._engine.run(batch, query).to_pylist():
            if len(tally.misfits) < MOST_MISFITS:
                tally.misfits.setdefault(row["v"], Misfit(row["v"][:LONGEST], row["p"]))


def _extend(column: _Column, facts: dict[str, Any]) -> None:
    texts = [value for value in (column.least, facts["least"]) if value is not None]
    column.least = min(texts, default=None)
    texts = [value for value in (column.greatest, facts["greatest"]) if value is not None]
    column.greatest = max(texts, default=None)
    found = facts.get("examples") or ()
    column.examples += tuple(value[:LONGEST] for value in found if value is not None)


def _outermost(bounds: list[tuple[Any, str]]) -> list[tuple[Any, str]]:
    if not bounds:
        return []
    return [min(bounds, key=lambda one: one[0]), max(bounds, key=lambda one: one[0])]


def _chosen(column: _Column) -> _Tally | None:
    """The first type that the most values fit; None: text."""
    found = [one for one in column.tallies if one.proofs]
    return max(found, key=lambda one: one.fits, default=None)


def _place(misfits: list[Misfit], table: SourceTable) -> None:
    if table.places is None:
        return
    near = sorted(
        (one for one in misfits if one.row <= LINES_WITHIN), key=lambda misfit: misfit.row
    )
    for misfit, (_, line) in zip(near, table.places([one.row for one in near]), strict=True):
        misfit.line = line


def _found(name: str, column: _Column, tally: _Tally | None) -> ColumnFound:
    values = column.values - column.worded
    functions: tuple[FunctionCall, ...] = ()
    least, greatest = column.least, column.greatest
    if tally is None:
        evidence = "no value" if not values else "its values are of no other type"
        misfits, type_ = 0, ColumnType.TEXT
    else:
        type_ = tally.candidate.type
        misfits = values - tally.fits
        evidence = f"{tally.fits} of {values} values are {tally.candidate.words}"
        functions = tuple(
            FunctionCall(name="nullif", arguments=(word,)) for word in sorted(column.words)
        )
        functions += tally.candidate.functions
        if column.words:
            evidence += f"; {', '.join(sorted(column.words))} stands for no value"
        (_, least), (_, greatest) = tally.bounds
    return ColumnFound(
        name=name,
        type=type_,
        functions=functions,
        evidence=evidence,
        nulls=column.rows - column.values,
        distinct=column.distinct.count,
        distinct_is_exact=column.distinct.is_exact,
        least=least and least[:LONGEST],
        greatest=greatest and greatest[:LONGEST],
        longest=column.longest,
        examples=column.examples,
        misfits=misfits,
        first_misfits=tuple(sorted(tally.misfits.values(), key=lambda one: one.row))
        if tally
        else (),
    )
