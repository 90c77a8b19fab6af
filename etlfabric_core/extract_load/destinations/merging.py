"""What every merge by a key is held to, at any destination that speaks SQL."""

from collections.abc import Sequence
from typing import Any

from dlt.destinations.job_client_impl import SqlJobClientWithStagingDataset

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.keys import not_unique, without_value
from etlfabric_core.extract_load.source_table import INSERT_HINT

EXAMPLES = 3  # of keys in a message


class KeyedMerges(SqlJobClientWithStagingDataset):  # type: ignore[misc]
    """Looks at the staged rows before they meet those that are there."""

    sql_client: Any

    def _create_merge_followup_jobs(self, table_chain: Any) -> list[Any]:
        root = table_chain[0]
        if keys := [name for name, column in root["columns"].items() if column.get("primary_key")]:
            self._require_whole_key(root, keys)
            self._require_unique_key(root, keys)
        if root.get(INSERT_HINT):
            self._require_new_keys(root, keys)
        return list(super()._create_merge_followup_jobs(table_chain))

    def _require_new_keys(self, table: Any, keys: Sequence[str]) -> None:
        """An insert is all or nothing: one key that is there already fails it."""
        names = ", ".join(map(self.sql_client.escape_column_name, keys))
        target = self.sql_client.make_qualified_table_name(table["name"])
        with self:
            with self.with_staging_dataset():
                staged = self.sql_client.make_qualified_table_name(table["name"])
            known = f"from {staged} join {target} using ({names})"
            count = self.sql_client.execute_sql(f"select count(*) {known}")[0][0]
            if not count:
                return
            examples = self.sql_client.execute_sql(
                f"select {names} {known} order by {names} limit {EXAMPLES}"
            )
        shown = "; ".join(", ".join(map(str, row)) for row in examples)
        raise TerminalError(
            f"table '{table['name']}': {count} keys ({', '.join(keys)}) are there already, "
            f"for example {shown}; nothing was inserted",
            hint="load only new rows, or use merge to change those that are there",
        )

    def _require_whole_key(self, table: Any, keys: Sequence[str]) -> None:
        """A row without a key meets no other, and would be there once more after every load."""
        empty = " or ".join(f"{self.sql_client.escape_column_name(key)} is null" for key in keys)
        with self, self.with_staging_dataset():
            staged = self.sql_client.make_qualified_table_name(table["name"])
            query = f"select count(*) from {staged} where {empty}"  # noqa: S608
            rows = self.sql_client.execute_sql(query)[0][0]
        if rows:
            raise without_value(table["name"], keys, rows)

    def _require_unique_key(self, table: Any, keys: Sequence[str]) -> None:
        """dlt would keep one row of each key and drop the others without a word."""
        names = ", ".join(map(self.sql_client.escape_column_name, keys))
        with self, self.with_staging_dataset():
            staged = self.sql_client.make_qualified_table_name(table["name"])
            doubled = self.sql_client.execute_sql(
                "select count(*), coalesce(sum(n), 0) from (select count(*) as n "  # noqa: S608
                f"from {staged} group by {names} having count(*) > 1) as k"
            )
        if doubled and doubled[0][0]:
            count, rows = doubled[0]
            raise not_unique(table["name"], keys, rows, count)
