"""Preview and profile of a table against real sources: exact values, honest about the sample."""

import json
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import InvalidConfig, TerminalError
from etlfabric_core.extract_load import sample
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.preview import preview
from etlfabric_core.extract_load.profile import Profile, profile
from tests.loading import FLIGHTS_DIR, Warehouse, csv_source

ODD = """
drop table if exists demo_raw.odd;
create table demo_raw.odd
  (id bigint, price numeric, raw bytea, at timestamptz, note text, doc jsonb);
insert into demo_raw.odd values
  (9007199254740993, 12345678901234567890.123456789, '\\xdeadbeef', '9999-12-31 23:59:59+00',
   repeat('ä', 5000), '{"a": 1}'),
  (-9007199254740993, 'NaN', null, '-infinity', 'NA', null),
  (7, 9, '\\x', null, '', '[]')
"""
ORDERS = """
drop table if exists demo_raw.orders;
create table demo_raw.orders as
select n as id, n % 4 as customer, case when n % 10 = 0 then null else n * 1.5 end as amount,
       timestamp '2026-01-01' + n % 50 * interval '1 hour' as at
from generate_series(1, 100) n
"""


@pytest.fixture
def source(warehouse: Warehouse) -> Endpoint:
    warehouse.execute(ODD)
    warehouse.execute(ORDERS)
    warehouse.execute(f"grant select on all tables in schema demo_raw to {warehouse.role}")
    return warehouse.endpoint(schema="demo_raw")


@pytest.mark.feature("B8", "X11")
def test_a_preview_changes_no_value_and_says_what_it_cut(source: Endpoint) -> None:
    found = preview(source, {}, "odd", limit=2)
    assert [column.type for column in found.columns][:3] == ["bigint", "numeric", "bytea"]
    assert found.complete is False
    first, second = json.loads(json.dumps(found.rows))
    assert first[:3] == ["9007199254740993", "12345678901234567890.123456789", "\\xdeadbeef"]
    assert first[3].startswith("9999-12-31 23:59:59")
    assert first[4] == "ä" * 1000 + "… (5000 characters)"
    assert json.loads(first[5]) == {"a": 1}
    assert second == ["-9007199254740993", "NaN", None, "-infinity", "NA", None]
    whole = preview(source, {}, "odd", limit=200)
    assert whole.complete is True
    assert whole.rows[2][:5] == [7, "9", "\\x", None, ""]
    with pytest.raises(TerminalError, match="nothing"):
        preview(source, {}, "nothing", limit=1)


def test_a_preview_of_large_values_is_short(source: Endpoint, warehouse: Warehouse) -> None:
    many = ", ".join(f"repeat('x', 1000) as c{number}" for number in range(300))
    warehouse.execute(
        f"drop table if exists demo_raw.wide; create table demo_raw.wide as"
        f" select {many} from generate_series(1, 50);"
        f" grant select on demo_raw.wide to {warehouse.role}"
    )
    found = preview(source, {}, "wide", limit=50)
    assert 1 < len(found.rows) < 50
    assert found.complete is False


def column(found: Profile, name: str) -> Any:
    return next(entry for entry in found.columns if entry.name == name)


@pytest.mark.feature("B8", "X11")
def test_a_profile_counts_what_is_there(source: Endpoint) -> None:
    found = profile(source, {}, "orders")
    assert (found.rows, found.complete) == (100, True)
    amount = column(found, "amount")
    assert (amount.nulls, amount.distinct, amount.least, amount.greatest) == (
        10,
        90,
        "1.5",
        "148.5",
    )
    customer = column(found, "customer")
    assert (customer.distinct, customer.least, customer.greatest) == (4, 0, 3)
    assert {entry.value: entry.rows for entry in customer.frequent} == dict.fromkeys(range(4), 25)
    assert column(found, "id").frequent == ()
    assert found.key is not None
    assert (found.key.columns, found.key.proposed_by, found.key.unique) == (("id",), "sample", True)


def test_values_beyond_what_python_and_floats_hold(source: Endpoint) -> None:
    found = profile(source, {}, "odd")
    assert (column(found, "price").least, column(found, "price").greatest) == ("9", "NaN")
    assert column(found, "id").least == "-9007199254740993"
    assert column(found, "doc").least is None
    assert column(found, "doc").distinct == 2


@pytest.mark.feature("B8", "X11")
def test_a_key_that_is_none_is_shown_with_its_offenders(
    source: Endpoint, warehouse: Warehouse
) -> None:
    found = profile(source, {}, "orders", key=["customer"]).key
    assert found is not None
    assert (found.unique, found.duplicates, found.nulls) == (False, 100, 0)
    assert sorted((entry.values, entry.rows) for entry in found.examples) == [
        ((number,), 25) for number in range(4)
    ]
    pair = profile(source, {}, "orders", key=["customer", "at"]).key
    assert pair is not None
    assert pair.duplicates == 0
    nulls = profile(source, {}, "orders", key=["amount"]).key
    assert nulls is not None
    assert (nulls.unique, nulls.duplicates, nulls.nulls) == (False, 0, 10)
    warehouse.execute("alter table demo_raw.orders add primary key (id)")
    own = profile(source, {}, "orders").key
    assert own is not None
    assert (own.columns, own.proposed_by) == (("id",), "source")
    with pytest.raises(InvalidConfig, match="no column nothing"):
        profile(source, {}, "orders", key=["nothing"])


@pytest.mark.feature("B8", "X11")
def test_cursors_are_judged(source: Endpoint) -> None:
    cursors = {entry.column: entry for entry in profile(source, {}, "orders").cursors}
    assert set(cursors) == {"id", "customer", "at"}
    assert (cursors["id"].ties, cursors["id"].out_of_order, cursors["id"].nulls) == (0, 0, 0)
    assert (cursors["at"].ties, cursors["at"].out_of_order) == (100, 2)
    assert "can be empty" in str(cursors["at"].why_not)


def test_a_profile_says_that_it_saw_a_part(source: Endpoint, monkeypatch: Any) -> None:
    found = profile(source, {}, "orders", rows=40)
    assert (found.rows, found.complete) == (40, False)
    monkeypatch.setattr(sample, "MOST_CELLS", 4 * 10)
    assert profile(source, {}, "orders").rows == 10


@pytest.mark.feature("B8", "X11")
def test_files_are_profiled_by_the_same_way() -> None:
    files = {"flights.csv.zip": FLIGHTS_DIR / "flights.csv.zip"}
    found = profile(csv_source(files, null_values=["NA"]), files, "flights", rows=5000)
    assert (found.rows, found.complete) == (5000, False)
    assert column(found, "carrier").distinct > 10
    assert [entry.column for entry in found.cursors] == ["time_hour"]
    assert preview(csv_source(files), files, "flights", limit=3).rows[0][0] == "2013"


def test_an_empty_table(source: Endpoint, warehouse: Warehouse) -> None:
    warehouse.execute("truncate demo_raw.orders")
    found = profile(source, {}, "orders")
    assert (found.rows, found.complete, found.key) == (0, True, None)
    assert preview(source, {}, "orders", limit=5).rows == []


def test_a_sqlite_file(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t (id integer primary key, n text)")
        connection.executemany("insert into t values (?, ?)", [(n, "x") for n in range(20)])
    endpoint = Endpoint(connector="sqlite", config={"uploads": [1]})
    found = profile(endpoint, {"shop.db": path}, "t")
    assert (found.rows, found.key and found.key.columns) == (20, ("id",))
