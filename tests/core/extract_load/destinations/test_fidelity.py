"""Values of PostgreSQL arrive at DuckDB and MariaDB as they are, or the load says why not."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import TerminalError
from tests.destinations import DuckdbTarget, Target, load, load_plan
from tests.loading import Warehouse

WIDE = Decimal("12345678901234567890123456789.123456789")
# Type, literal, and what is there afterwards. MariaDB has no booleans and no zones of times.
VALUES: list[tuple[str, str, Any]] = [
    ("smallint", "-32768", -32768),
    ("bigint", "9223372036854775807", 9223372036854775807),
    ("bigint", "-9223372036854775808", -9223372036854775808),
    ("numeric(38,9)", str(WIDE), WIDE),
    ("numeric(38,9)", f"-{WIDE}", Decimal(f"-{WIDE}")),
    ("numeric(38,9)", "0.000000001", Decimal("0.000000001")),
    ("numeric(20,0)", "18446744073709551615", Decimal(18446744073709551615)),
    ("numeric", "1e-30", "0." + "0" * 29 + "1"),  # without a scale: the text, as it is
    ("numeric", "NaN", "NaN"),
    ("numeric(3,-2)", "12300", "12300"),
    ("double precision", "5e-324", 5e-324),
    ("double precision", "1.7976931348623157e308", 1.7976931348623157e308),
    ("double precision", "0.30000000000000004", 0.30000000000000004),
    ("real", "0.1", 0.1),
    ("boolean", "true", True),
    ("boolean", "false", False),
    ("text", "", ""),
    ("text", "NULL", "NULL"),
    ("text", "é ß 漢 🦆 \\ ' \" ` \t\r\n;--%s %% :x", "é ß 漢 🦆 \\ ' \" ` \t\r\n;--%s %% :x"),
    ("text", "a  ", "a  "),
    ("text", "x" * 200_000, "x" * 200_000),
    ("date", "1582-10-10", date(1582, 10, 10)),
    ("date", "9999-12-31", date(9999, 12, 31)),
    (
        "timestamp",
        "1899-12-31 23:59:59.999999",
        datetime.fromisoformat("1899-12-31 23:59:59.999999"),
    ),
    (
        "timestamp",
        "9999-12-31 23:59:59.999999",
        datetime.fromisoformat("9999-12-31 23:59:59.999999"),
    ),
    ("timestamptz", "2024-03-10 02:30:00.000001+05:30", datetime(2024, 3, 9, 21, 0, 0, 1, UTC)),
    ("timestamptz", "2024-10-27 02:30:00+01", datetime(2024, 10, 27, 1, 30, tzinfo=UTC)),
    ("bytea", "\\x00ff5c2700", b"\x00\xff\\'\x00"),
    ("bytea", "", b""),
    ("json", ' {"b":1,  "a":1,"a":2} ', ' {"b":1,  "a":1,"a":2} '),
    ("jsonb", "12345678901234567890.1234567890", "12345678901234567890.1234567890"),
    ("time", "24:00:00", "24:00:00"),
    ("interval", "1 mon -30 days", "1 mon -30 days"),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("text[]", '{a,NULL,""}', '{a,NULL,""}'),
]
# Beyond what a destination holds.
REFUSED: list[tuple[str, str, bool]] = [
    ("timestamp", "infinity", False),
    ("timestamp", "0044-03-15 12:00:00 BC", False),
    ("timestamp", "10000-01-01 00:00:00", False),
    ("numeric(6,2)", "NaN", False),
    ("double precision", "Infinity", True),  # DuckDB holds it
    ("double precision", "NaN", True),
    ("date", "0001-01-01", True),
]


def make_edges(source: Warehouse) -> None:
    """A table with a row of all values, and a row of nulls."""
    columns = ", ".join(f"v{place} {type_}" for place, (type_, _, _) in enumerate(VALUES))
    places = ", ".join(["%s"] * len(VALUES))
    source.execute(f"create table edges (id int, {columns})")
    source.execute(f"insert into edges values (1, {places})", [given for _, given, _ in VALUES])
    source.execute("insert into edges (id) values (2)")
    source.execute(f"grant select on edges to {source.role}")


def make_one(source: Warehouse, type_: str, value: str) -> None:
    """A table with that value alone."""
    source.execute(f"drop table if exists edges; create table edges (id int, v {type_})")
    source.execute("insert into edges values (1, %s)", [value])
    source.execute(f"grant select on edges to {source.role}")


def there(target: Target, source: Warehouse, work: Path, **resource: Any) -> list[Any]:
    plan = load_plan(
        target,
        source.endpoint(schema=source.dataset),
        {"name": "edges", "write_disposition": "replace", **resource},
    )
    load(work, plan)
    return target.execute("select * from edges order by id")


def seen(target: Target, value: Any) -> Any:
    if isinstance(target, DuckdbTarget):
        return value
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    return int(value) if isinstance(value, bool) else value


@pytest.mark.feature("B5", "C3")
def test_values_arrive_as_they_are(target: Target, warehouse: Warehouse, tmp_path: Path) -> None:
    make_edges(warehouse)
    rows = there(target, warehouse, tmp_path)
    expected = [seen(target, value) for _, _, value in VALUES]
    for (type_, given, _), wanted, found in zip(VALUES, expected, rows[0][1:], strict=False):
        assert (type(found), found) == (type(wanted), wanted), (type_, given[:40])
    assert set(rows[1][1 : len(VALUES) + 1]) == {None}


@pytest.mark.feature("B5", "C3")
@pytest.mark.parametrize(("type_", "value", "duckdb_holds_it"), REFUSED)
def test_what_cannot_be_held_is_refused(
    target: Target,
    warehouse: Warehouse,
    tmp_path: Path,
    type_: str,
    value: str,
    duckdb_holds_it: bool,
) -> None:
    make_one(warehouse, type_, value)
    if duckdb_holds_it and isinstance(target, DuckdbTarget):
        (row,) = there(target, warehouse, tmp_path)
        assert str(row[1]).lower()[:3] in (value.lower()[:3], "000")
        return
    with pytest.raises(TerminalError, match="column 'v': a value"):
        there(target, warehouse, tmp_path)


@pytest.mark.feature("B5", "C3")
def test_what_cannot_be_held_goes_as_text(
    target: Target, warehouse: Warehouse, tmp_path: Path
) -> None:
    make_one(warehouse, "timestamp", "infinity")
    rows = there(target, warehouse, tmp_path, columns={"v": {"type": "text"}})
    assert rows[0][1] == "infinity"


@pytest.mark.feature("B5")
def test_a_narrower_decimal_is_not_rounded_into(
    target: Target, warehouse: Warehouse, tmp_path: Path
) -> None:
    make_one(warehouse, "numeric(6,2)", "1.25")
    there(target, warehouse, tmp_path)
    warehouse.execute("alter table edges alter v type numeric(8,4)")
    warehouse.execute("update edges set v = 1.2551")
    with pytest.raises(TerminalError, match=r"numeric\(6,2\) at the destination"):
        there(target, warehouse, tmp_path)
    assert target.execute("select v from edges")[0][0] == Decimal("1.25")


@pytest.mark.feature("B5", "X3")
def test_rows_are_counted_on_both_sides(
    target: Target, warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.execute("create table edges as select generate_series(1, 5) as id")
    warehouse.execute(f"grant select on edges to {warehouse.role}")
    edges = {"name": "edges", "write_disposition": "merge", "primary_key": ["id"]}
    asked = {**edges, "verify_count": True}
    plan = load_plan(target, warehouse.endpoint(schema=warehouse.dataset), asked)
    done = load(tmp_path, plan).tables[0]
    assert (done.source_rows, done.target_rows) == (5, 5)
    warehouse.execute("delete from edges where id = 5")
    with pytest.raises(TerminalError, match="the source has 4 rows, 0 were rejected, and"):
        load(tmp_path, plan, epoch=2)
    marked = {**asked, "deletes": "soft"}
    plan = load_plan(target, warehouse.endpoint(schema=warehouse.dataset), marked)
    done = load(tmp_path, plan, epoch=3).tables[0]
    assert (done.deleted, done.source_rows, done.target_rows) == (1, 4, 4)


@pytest.mark.feature("B5")
def test_only_what_changed_is_a_schema_change(
    target: Target, warehouse: Warehouse, tmp_path: Path
) -> None:
    """Types are compared as the destination has them: none of these changes by itself."""
    warehouse.execute(
        "create table edges (id int, a numeric, b numeric(9,2), c timestamptz, d json, e bool)"
    )
    warehouse.execute(f"grant select on edges to {warehouse.role}")
    edges = {"name": "edges", "write_disposition": "replace"}
    source = warehouse.endpoint(schema=warehouse.dataset)
    plan = load_plan(target, source, edges, schema_changes="refuse")
    load(tmp_path, plan)
    load(tmp_path, plan, epoch=2)
    warehouse.execute("alter table edges add f date")
    with pytest.raises(TerminalError, match="f"):
        load(tmp_path, plan, epoch=3)
