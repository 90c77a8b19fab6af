"""Browsing PostgreSQL: pages by key, searches, rights that are missing, a source of many tables."""

import os
import time
from collections.abc import Iterator

import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import Direction, TablePage, TableQuery
from tests.loading import Warehouse, new_warehouse

TABLES = int(os.environ.get("ETLFABRIC_TABLES", "2000"))
FIRST_PAGE_S = 2.0
BROWSE = get_connector("postgres").browse
# A transaction cannot hold the locks of all of them.
MANY = """
do $$ begin
  for i in 1..{count} loop
    execute format('create table demo_raw."t %s" (id int primary key, at timestamptz)', i);
    if i % 500 = 0 then commit; end if;
  end loop;
end $$
"""


@pytest.fixture(scope="module")
def warehouse(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def many(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        made.execute(MANY.format(count=TABLES))
        made.execute(f"grant select on all tables in schema demo_raw to {made.role}")
        yield made


def page(warehouse: Warehouse, **query: object) -> TablePage:
    return BROWSE.tables(warehouse.endpoint(), {}, TableQuery(**query))  # type: ignore[arg-type]


@pytest.mark.feature("B8")
def test_the_first_page_of_many_tables_comes_at_once(many: Warehouse) -> None:
    started = time.monotonic()
    first = page(many)
    seconds = time.monotonic() - started
    print(f"first page of {TABLES} tables: {seconds:.3f} s")
    assert len(first.tables) == 100
    assert first.more
    assert seconds < FIRST_PAGE_S
    started = time.monotonic()
    (found,) = page(many, search=f"T {TABLES - 1}").tables
    columns = BROWSE.columns(many.endpoint(), {}, found.source)
    assert time.monotonic() - started < FIRST_PAGE_S
    assert found.name == f"t {TABLES - 1}"
    assert found.primary_key == ("id",)
    assert [column.name for column in columns] == ["id", "at"]


@pytest.mark.feature("B8")
def test_pages_hold_every_table_once(many: Warehouse) -> None:
    seen: list[str] = []
    after = None
    while True:
        found = page(many, search="t 1", limit=150, after=after)
        seen += [table.name for table in found.tables]
        if not found.more:
            break
        after = (found.tables[-1].schema, found.tables[-1].name)
    expected = sorted(f"t {n}" for n in range(1, TABLES + 1) if str(n).startswith("1"))
    assert seen == expected


def test_what_is_listed(warehouse: Warehouse) -> None:
    warehouse.execute(
        """
        create schema "Other.Schema";
        create table "Other.Schema"."Odd.Näme %_" (b int, a int, primary key (b, a));
        create view demo_raw.seen as select 1 as one;
        create table demo_raw.parts (n int) partition by range (n);
        create table demo_raw.part_1 partition of demo_raw.parts for values from (0) to (10);
        create table demo_raw.closed (n int)
        """
    )
    warehouse.execute(
        f'grant select on demo_raw.seen, demo_raw.parts, "Other.Schema"."Odd.Näme %_" '
        f'to {warehouse.role}; grant usage on schema "Other.Schema" to {warehouse.role}'
    )
    assert BROWSE.schemas(warehouse.endpoint(), {}) == ("Other.Schema", "demo_raw")
    odd, parts, seen = page(warehouse).tables
    assert (odd.source, odd.primary_key) == ("Other.Schema.Odd.Näme %_", ("b", "a"))
    assert (parts.name, parts.kind, seen.name, seen.kind) == ("parts", "table", "seen", "view")
    assert [t.name for t in page(warehouse, schema="demo_raw").tables] == ["parts", "seen"]
    assert [t.name for t in page(warehouse, search="näme %_").tables] == ["Odd.Näme %_"]
    assert page(warehouse, search="_").tables == (odd,)
    own = warehouse.endpoint(schema="Other.Schema")
    assert [c.name for c in BROWSE.columns(own, {}, "Odd.Näme %_")] == ["b", "a"]


@pytest.mark.feature("B8")
def test_why_a_column_is_no_cursor(warehouse: Warehouse) -> None:
    warehouse.execute(
        "create table demo_raw.spans (d daterange not null, i int[] not null, n int not null, "
        f"at timestamp(3) not null, x date); grant select on demo_raw.spans to {warehouse.role}"
    )
    columns = BROWSE.columns(warehouse.endpoint(), {}, "demo_raw.spans")
    reasons = {column.name: column.why_not for column in columns}
    assert reasons["d"] == "daterange does not grow from row to row"
    assert reasons["i"] == "integer[] does not grow from row to row"
    assert (reasons["n"], reasons["at"]) == (None, None)
    assert "can be empty" in str(reasons["x"])


@pytest.mark.feature("B7")
def test_a_test_names_the_rights_that_are_missing(postgres: EmbeddedPostgres) -> None:
    with new_warehouse(postgres) as warehouse:
        test = get_connector("postgres").test
        warehouse.execute("create schema s; create table s.a (n int); create table s.b (n int)")

        def missing(direction: Direction) -> list[str]:
            result = test(warehouse.endpoint(schema="s"), {})
            assert result.ok
            return [
                f"{right.message} {right.hint}"
                for right in result.missing
                if right.direction is direction
            ]

        usage, select = missing(Direction.SOURCE)
        assert f'GRANT USAGE ON SCHEMA "s" TO "{warehouse.role}"' in usage
        assert "may not read a, b" in select
        (create,) = missing(Direction.DESTINATION)
        assert "GRANT CREATE ON DATABASE" in create
        for remedy in (usage, select, create):  # each is what really helps
            warehouse.execute(remedy.partition("run: ")[2])
        assert test(warehouse.endpoint(schema="s"), {}).missing == ()
        gone = test(warehouse.endpoint(schema="nowhere"), {})
        assert [right.message for right in gone.missing] == ["there is no schema 'nowhere'"]
