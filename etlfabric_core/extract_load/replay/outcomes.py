"""What became of the rows of a replay, kept in a file until the load completes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TextIO

from etlfabric_core.errors import TransientError
from etlfabric_core.extract_load.shape.rejected import SUFFIX, Quarantine, RawRow, Refusal

AT_ONCE = 5_000
LOADED = "delete from {} where id = any (%s::text[])"
REFUSED = """
update {} as q set "column" = n."column", reason = n.reason, rejected_at = now()
from unnest(%s::text[], %s::text[], %s::text[]) as n (id, "column", reason) where q.id = n.id
"""


@dataclass
class Outcomes(Quarantine):
    """Row by row of one table: loaded, or refused again, and why.

    As a quarantine it hears from the shape what is refused, by positions; the rows themselves
    are in the table of rejected rows and stay there as they are. `count` are those refused.
    """

    loaded: int = 0
    latest: dict[int, Refusal] = field(default_factory=dict)
    _file: TextIO | None = None

    def add(self, refusals: Sequence[Refusal], rows: Sequence[RawRow]) -> None:
        """Hears what the shape refused of the batch that is under way."""
        self.latest |= {refusal.position: refusal for refusal in refusals}

    def load(self, id: str) -> None:
        """Notes that a row passed."""
        self.loaded += 1
        self._note(id, None, None)

    def refuse(self, id: str, column: str | None, reason: str) -> None:
        """Notes that a row was refused again."""
        self.count += 1
        self._note(id, column, reason)

    def _note(self, *entry: str | None) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8")
        self._file.write(json.dumps(entry) + "\n")

    def settle(self, cursor: Any, dataset: str) -> None:
        """Within the transaction of a DB-API cursor: takes out of the quarantine what was loaded.

        Raises:
            TransientError: the quarantine has changed since it was read.
        """
        table = f'"{dataset}"."{self.table}{SUFFIX}"'
        settled = 0
        for entries in self._entries():
            loaded = [id for id, _, reason in entries if reason is None]
            refused = [entry for entry in entries if entry[2] is not None]
            cursor.execute(LOADED.format(table), [loaded])
            settled += cursor.rowcount
            columns = [list(values) for values in zip(*refused, strict=True)] or [[], [], []]
            cursor.execute(REFUSED.format(table), columns)
            settled += cursor.rowcount
        if settled != self.loaded + self.count:
            raise TransientError(
                f"table '{self.table}{SUFFIX}': {self.loaded + self.count} rows were read and "
                f"{settled} are there: it was changed meanwhile; nothing of this try was kept",
                hint="it is tried again; leave the table alone while rows are replayed",
            )

    def _entries(self) -> Iterator[list[list[str | None]]]:
        if self._file is None:
            return
        self._file.close()
        with self.path.open(encoding="utf-8") as file:
            while lines := list(islice(file, AT_ONCE)):
                yield [json.loads(line) for line in lines]
