"""Rows that a replay must not load, because the table has them, or newer ones of their key, by now.

The load that read a row may have been followed by others, which read it again or read what became
of it. Only complete loads count: rows of an interrupted one are loaded again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etlfabric_core.extract_load.contract import normal_name
from etlfabric_core.graph.resources import MergeStrategy, ResourceConfig, WriteDisposition

if TYPE_CHECKING:
    import pyarrow

    from etlfabric_core.extract_load.destinations.postgres.fencing import WriterSession

SAME_KEY = "the table has another row of this key by now"
SAME_ROW = "a later load has loaded this row"
# Merges that leave alone what is there, so that a row of any age is in the way.
KEEPING = (MergeStrategy.INSERT_ONLY,)


@dataclass
class Superseded:
    """Finds such rows of one table.

    By their `key`, or, in a table that is appended to by a cursor, by all `columns`: rows at the
    boundary are read by two loads. Without either nothing can be told, and nothing has to be: such
    a load does not read a row again, or loads it each time.
    """

    session: "WriterSession"
    table: str
    key: tuple[str, ...]
    cursor: str | None
    by_age: bool
    _seen: set[tuple[str | None, ...]] = field(default_factory=set)

    @classmethod
    def of(
        cls, session: "WriterSession", config: ResourceConfig, table: str, cursor: str | None
    ) -> "Superseded":
        """For a resource; `cursor` is its column as it is loaded."""
        appends = config.write_disposition is WriteDisposition.APPEND
        keeps = config.merge_strategy in KEEPING
        by_age = config.write_disposition is not WriteDisposition.INSERT and not keeps
        key = config.primary_key if config.is_keyed else ()
        return cls(session, table, key, cursor if appends else None, by_age)

    @property
    def reason(self) -> str:
        """What is said of them."""
        return SAME_KEY if self.key else SAME_ROW

    def places(self, rows: "pyarrow.Table", load_ids: Sequence[str]) -> set[int]:
        """Which of the rows are; they come in the order in which they were read, newest first."""
        if not rows.num_rows or not (self.key or self.cursor):
            return set()
        names = self.key or tuple(rows.column_names)
        texts = {name: _texts(rows.column(name)) for name in names}
        found = self._found(texts, load_ids)
        return found | self._repeated(texts, found) if self.key else found

    def _repeated(self, texts: Mapping[str, list[str | None]], found: set[int]) -> set[int]:
        repeated = set()
        for place, key in enumerate(zip(*texts.values(), strict=True)):
            if place not in found and key in self._seen:
                repeated.add(place)
            self._seen.add(key)
        return repeated

    def _found(self, texts: Mapping[str, list[str | None]], load_ids: Sequence[str]) -> set[int]:
        from etlfabric_core.extract_load.destinations.postgres.fencing import qualified
        from etlfabric_core.extract_load.destinations.postgres.tables import present

        types = present(self.session, self.table)
        conditions = [
            self._condition(place, name, types.get(normal_name(name)))
            for place, name in enumerate(texts)
        ]
        conditions += ["t._dlt_load_id > k.load_id"] if self.by_age else []
        if not types or "false" in conditions:
            return set()
        writer = self.session.writer
        given = ", ".join(["%s::int[]", "%s::text[]", *("%s::text[]" for _ in texts)])
        columns = ", ".join(["n", "load_id", *(f"c{place}" for place in range(len(texts)))])
        query = (
            f"select k.n from unnest({given}) as k ({columns}) where exists (select from "  # noqa: S608
            f"{qualified(writer, self.table)} as t join {qualified(writer, '_dlt_loads')} as l "
            f"on l.load_id = t._dlt_load_id and l.status = 0 where {' and '.join(conditions)})"
        )
        values = [list(range(len(load_ids))), list(load_ids), *texts.values()]
        return {place for (place,) in self.session.connection.execute(query, values)}

    def _condition(self, place: int, name: str, type_: str | None) -> str:
        """Of a column, against the one of the table; without that, only what is empty is equal."""
        if type_ is None:
            return "false" if self.key else f"k.c{place} is null"
        column = '"' + normal_name(name).replace("%", "%%") + '"'
        if self.key or name == self.cursor:
            return f"t.{column} = k.c{place}::{type_}"
        return f"t.{column}::text is not distinct from k.c{place}::{type_}::text"


def _texts(values: "pyarrow.ChunkedArray") -> list[str | None]:
    import pyarrow as pa

    texts: list[str | None] = values.cast(pa.string()).to_pylist()
    return texts
