"""A source in PostgreSQL whose rows are loaded whole or in part, and how to tell that they arrived.

Each way of loading can be tried again after it was complete: that is what a retry may do.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from etlfabric_core.extract_load.plan import Endpoint, LoadPlan, Window
from tests.faults.load_process import IS_WHOLE
from tests.loading import Warehouse, plan

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
TABLE = """
create table {name} as select n as id, md5(n::text) || repeat('x', (n % 100)::int) as v,
  n / 7.0 as share, timestamptz '2024-01-01Z' + n * interval '1 second' as at
from generate_series(0::bigint, {rows} - 1) n
"""
HOW: Mapping[str, Mapping[str, Any]] = {
    "append": {"cursor": {"column": "at"}},
    "replace": {"write_disposition": "replace"},
    "merge": {"write_disposition": "merge", "primary_key": ["id"]},
}
PRINT = (
    "select count(*), count(distinct id), sum(hashtextextended((id, v, share, at)::text, 0)) "
    'from "{}"'
)
# A type that is given makes them travel as text, whatever it is.
AS_TEXT: Mapping[str, Any] = {"columns": {"v": {"type": "text"}}}
PATHS: Mapping[str, Mapping[str, Any]] = {"binary": {}, "text": AS_TEXT}
# Every disposition on both paths; by default each disposition and each path once.
WAYS = [(how, path) for how in HOW for path in PATHS]
if not IS_WHOLE:
    WAYS = [("append", "binary"), ("replace", "text"), ("merge", "binary")]


def fill(source: Warehouse, rows: int) -> None:
    """Makes `everything`, and `early`: its first half."""
    source.execute(TABLE.format(name="everything", rows=rows))
    source.execute(TABLE.format(name="early", rows=rows // 2))
    source.execute(f"grant select on everything, early to {source.role}")


def load_plan(
    warehouse: Warehouse,
    source: Warehouse,
    name: str,
    how: str,
    *,
    read_from: Endpoint | None = None,
    **resource: Any,
) -> LoadPlan:
    """An append is a backfill of all time: its rows take the place of those in the window."""
    window = Window(start=FIRST, end=datetime(2025, 1, 1, tzinfo=UTC)) if how == "append" else None
    endpoint = read_from or source.endpoint(schema=source.dataset)
    return plan(
        warehouse, endpoint, {"name": "t", "source": name, **HOW[how], **resource}, window=window
    )


def is_exact(warehouse: Warehouse, source: Warehouse, name: str = "everything") -> bool:
    """Whether `t` holds these rows and no others: count, distinct keys, checksum."""
    return warehouse.execute(PRINT.format("t")) == source.execute(PRINT.format(name))
