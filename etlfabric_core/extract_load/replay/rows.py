"""The rows of a replay: from the quarantine through the shape of today."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.contract import Terms
from etlfabric_core.extract_load.replay.kept import KeptRow, kept_rows
from etlfabric_core.extract_load.replay.outcomes import Outcomes
from etlfabric_core.extract_load.replay.passage import FILTERED, Passage, passage
from etlfabric_core.extract_load.replay.superseded import Superseded
from etlfabric_core.extract_load.source_table import POSITION, SourceTable
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

    from etlfabric_core.extract_load.destinations.postgres.fencing import WriterSession

MOST_AT_ONCE = 5_000  # rows, which are whole and as JSON


def replayable(config: ResourceConfig) -> ResourceConfig:
    """A resource as a replay loads it: what does not fit stays, and nothing is compared.

    Raises:
        TerminalError: its rows cannot be loaded one by one.
    """
    if why := refusal(config):
        raise TerminalError(f"resource '{config.name}': {why}", hint="run the pipeline instead")
    changes = {"on_bad_row": "quarantine", "minimum_rows": 0, "deletes": "none"}
    return config.model_copy(update={**changes, "verify_count": False})


def refusal(config: ResourceConfig) -> str | None:
    """Why the rejected rows of a resource cannot be replayed; None: they can."""
    if config.is_historized:
        return "scd2 closes every row that a load does not bring, so single rows cannot be loaded"
    return None


@dataclass
class Replay:
    """The rejected rows of one table on their way; `outcomes` say what became of each."""

    resource: ResourceConfig
    source: SourceTable
    outcomes: Outcomes
    superseded: Superseded
    terms: Terms
    key: bytes
    rows_at_once: int
    _passages: dict[str, Passage] = field(default_factory=dict)

    @property
    def session(self) -> "WriterSession":
        """Where the rows are."""
        return self.superseded.session

    def batches(self) -> "Iterator[pyarrow.Table]":
        """Batches of those that pass.

        Raises:
            TerminalError: the resource does not fit its source.
        """
        for rows in kept_rows(
            self.session, self.outcomes.table, min(self.rows_at_once, MOST_AT_ONCE)
        ):
            for way, alike in groupby(rows, _way):
                yield from self._passed(way, list(alike))

    def _passed(self, way: str, rows: list[KeptRow]) -> "Iterator[pyarrow.Table]":
        found = self._passage(way, rows[0])
        reasons = {row.id: found.why or found.unfit(row) for row in rows}
        for row in rows:
            if why := reasons[row.id]:
                self.outcomes.refuse(row.id, *why)
        if fitting := [row for row in rows if not reasons[row.id]]:
            yield self._shaped(found, fitting)

    def _shaped(self, found: Passage, rows: Sequence[KeptRow]) -> "pyarrow.Table":
        import pyarrow as pa

        met = found.filtered(found.batch(rows))
        self.outcomes.latest = {}
        shaped = found.shape.batch(met)
        refused = self.outcomes.latest
        positions = met.column(POSITION).to_pylist()
        good = [rows[position - 1] for position in positions if position not in refused]
        doubled = self.superseded.places(shaped, [row.load_id for row in good])
        for position in set(range(1, len(rows) + 1)).difference(positions):
            self.outcomes.refuse(rows[position - 1].id, self._filtered_by(found), FILTERED)
        for position, why in refused.items():
            self.outcomes.refuse(rows[position - 1].id, why.column, why.reason)
        for place, row in enumerate(good):
            if place in doubled:
                column = self.superseded.key[0] if self.superseded.key else None
                self.outcomes.refuse(row.id, column, self.superseded.reason)
            else:
                self.outcomes.load(row.id)
        passed = [place for place in range(len(good)) if place not in doubled]
        return shaped.take(pa.array(passed, pa.int64()))

    def _filtered_by(self, found: Passage) -> str:
        return ", ".join(dict.fromkeys(one.column for one in found.filters))

    def _passage(self, way: str, row: KeptRow) -> Passage:
        if way not in self._passages:
            self._passages[way] = passage(
                self.resource,
                self.source,
                row.read_as,
                key=self.key,
                quarantine=self.outcomes,
                terms=self.terms,
            )
        return self._passages[way]


def _way(row: KeptRow) -> str:
    """The same text for rows that were read alike."""
    if row.read_as is None:
        return ""
    return json.dumps([row.read_as.filters, row.read_as.left_out, row.read_as.masked])
