"""The keys of a table at the source, brought to its destination for one try of a load.

They lie in a table of the staging dataset, each with the number of the try: an older one that
still runs can take some away, which is noticed, and can add none that count.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from etlfabric_core.errors import TransientError
from etlfabric_core.extract_load.contract import normal_name
from etlfabric_core.extract_load.destinations.sql.ledger import LEASE_TABLE, Ledger
from etlfabric_core.extract_load.destinations.sql.writing import SqlWriting
from etlfabric_core.extract_load.evidence import KeySet
from etlfabric_core.extract_load.typed import Typing

TRY = "etlfabric_try"


@dataclass(frozen=True)
class StagedKeys:
    """Those of one table. The client is open."""

    ledger: Ledger
    writing: SqlWriting
    table: str
    keys: KeySet

    def make(self) -> None:
        """Its columns are those of the table: a key becomes there what it became in a row."""
        chosen = [f"t.{name} as {key}" for name, key in zip(self._loaded, self._names, strict=True)]
        self._run(f"drop table if exists {self.name}")
        self._run(
            f"create table {self.name} as select {', '.join(chosen)}, l.epoch as {TRY} "  # noqa: S608
            f"from {self.ledger.name(self.table)} t cross join {self.ledger.name(LEASE_TABLE)} l "
            "where 1 = 0"
        )

    def fill(self) -> int:
        """Within a transaction: writes the keys; returns how many it were."""
        return sum(self._write(rows) for rows in self._batches())

    def index(self) -> None:
        """Where a system would compare each row with each key otherwise."""
        if self.writing.indexed is None:
            return
        hints = [
            {"name": name, "data_type": column.hint["data_type"]}
            for name, column in zip(self._names, self._typing.columns, strict=True)
        ]
        with self.ledger.client.with_staging_dataset():
            self.writing.indexed(self.ledger.client.sql_client, self._table, hints)

    def require_all(self, keys: int) -> None:
        """Checks that those of this try are still there.

        Raises:
            TransientError: they are not.
        """
        query = f"select count(*) from {self.name} where {TRY} = %s"  # noqa: S608
        if int(self._run(query, self.ledger.writer.epoch)[0][0]) != keys:
            raise TransientError(
                f"table '{self.table}': the keys that were brought to the destination are not "
                "there any more; nothing was deleted",
                hint="it is tried again; look who else writes to the staging dataset",
            )

    def drop(self) -> None:
        """Leaves nothing of them behind."""
        self._run(f"drop table if exists {self.name}")

    @property
    def there(self) -> str:
        """SQL: a row has one of the keys. No column of the table is called like one of them."""
        pairs = zip(self._names, self._loaded, strict=True)
        equal = " and ".join(f"k.{name} = {loaded}" for name, loaded in pairs)
        tried = f"k.{TRY} = {int(self.ledger.writer.epoch)}"
        return f"exists (select 1 from {self.name} k where {equal} and {tried})"  # noqa: S608

    @property
    def gone(self) -> str:
        """SQL: a row has none of the keys."""
        return f"not {self.there}"

    @property
    def name(self) -> str:
        """The table where they lie, as SQL."""
        with self.ledger.client.with_staging_dataset():
            return self.ledger.name(self._table)

    def _batches(self) -> Iterator[Any]:
        """In the types of the destination, without empty ones, which no row has."""
        import pyarrow as pa

        for batch in self.keys.batches():
            rows = self._typing(batch).drop_null()
            tried = pa.repeat(pa.scalar(self.ledger.writer.epoch, pa.int64()), rows.num_rows)
            yield rows.rename_columns(self._names).append_column(TRY, tried)

    def _write(self, rows: Any) -> int:
        if self.writing.inserted is not None and rows.num_rows:
            self.writing.inserted(self.ledger.client.sql_client, self.name, rows)
        return int(rows.num_rows)

    @property
    def _typing(self) -> Typing:
        return Typing.of(self.table, self.keys.columns, self.writing.holds)

    @property
    def _names(self) -> list[str]:
        return [f"etlfabric_key_{place}" for place in range(len(self.keys.columns))]

    @property
    def _loaded(self) -> list[str]:
        escaped = self.ledger.client.sql_client.escape_column_name
        return [str(escaped(normal_name(column.name))) for column in self.keys.columns]

    @property
    def _table(self) -> str:
        place = f"{self.ledger.writer.pipeline}/{self.table}"
        return f"_etlfabric_keys_{hashlib.sha256(place.encode()).hexdigest()[:16]}"

    def _run(self, statement: str, *values: Any) -> Any:
        return self.ledger.client.sql_client.execute_sql(statement, *values)
