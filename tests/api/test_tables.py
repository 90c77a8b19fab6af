"""Reading the warehouse: the own tables only, whatever they are called, within bounds."""

import asyncio
import time
from itertools import product
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from etlfabric_core.services import tables, warehouse
from tests.api.warehouse_world import Wall

TABLES = "/api/v1/tables"


@pytest.mark.feature("A19")
async def test_tables_show_the_own_organization_only(wall: Wall) -> None:
    a, b = wall.a, wall.b
    listed = (await a.get(TABLES)).json()["items"]
    assert [(table["dataset"], table["name"]) for table in listed] == [("raw", "people")]
    assert listed[0]["columns"] == [{"name": "name", "type": "text"}]
    rows = (await a.get(f"{TABLES}/raw/people/rows")).json()
    assert rows["rows"] == [["own"]]
    assert (await a.get(f"{TABLES}/raw/people/count")).json() == {"rows": 1}
    paths = (f"{b.slug}_raw/people", "raw/absent", "raw_staging/people", "pg_catalog/pg_roles")
    for path in paths:
        for question in ("rows", "count"):
            assert (await a.get(f"{TABLES}/{path}/{question}")).status_code == 404
    assert b.slug not in (await a.get(TABLES)).text


async def test_a_dataset_is_made_by_many_at_once(wall: Wall) -> None:
    slug = wall.a.slug
    for number in range(3):
        made = await asyncio.gather(
            *(warehouse.ensure_dataset(wall.wiring.warehouse, slug, f"d{number}") for _ in range(8))
        )
        assert set(made) == {f"{slug}_d{number}"}


# A function that goes on when it is told to stop, and one that lifts the limit while it is planned.
STUBBORN = (
    "CREATE FUNCTION {a}_raw.stubborn() RETURNS int LANGUAGE plpgsql AS 'BEGIN LOOP"
    " BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END'",
    "CREATE VIEW {a}_raw.stubborn AS SELECT s AS x FROM {a}_raw.stubborn() s",
    "CREATE FUNCTION {a}_raw.planned() RETURNS text IMMUTABLE LANGUAGE plpgsql AS"
    " 'BEGIN RETURN set_config(''statement_timeout'', ''0'', false); END'",
    "CREATE VIEW {a}_raw.planned AS SELECT {a}_raw.planned() AS x, pg_sleep(60)::text AS y",
    "CREATE VIEW {a}_raw.slow AS SELECT pg_sleep(60)::text AS x",
)
PREVIEWS = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND application_name = %s"


async def test_a_slow_view_is_stopped(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "READ_TIMEOUT_MS", 500)
    monkeypatch.setattr(warehouse, "GRACE_MS", 500)
    for statement in STUBBORN:
        await wall.plant(statement)
    for view, question in product(("slow", "stubborn", "planned"), ("rows", "count")):
        began = time.monotonic()
        response = await wall.a.get(f"{TABLES}/raw/{view}/{question}")
        assert response.status_code == 422, (view, question)
        assert "took longer" in response.json()["message"]
        assert time.monotonic() - began < 20
    values = [f"org_{wall.a.slug}", "etlfabric-preview"]
    left = await (await wall.admin.execute(PREVIEWS, values)).fetchone()
    assert left == (0,)


async def test_a_view_that_writes_is_refused(wall: Wall) -> None:
    await wall.plant(
        "CREATE FUNCTION {a}_raw.f() RETURNS text LANGUAGE sql AS"
        " 'INSERT INTO {a}_raw.people VALUES (1) RETURNING name'"
    )
    await wall.plant("CREATE VIEW {a}_raw.writes AS SELECT {a}_raw.f() AS x")
    response = await wall.a.get(f"{TABLES}/raw/writes/rows")
    assert response.status_code == 422
    assert "read-only" in response.json()["message"]


async def test_huge_values_never_reach_the_service(wall: Wall) -> None:
    """A gigabyte per value, and many columns of what is just allowed."""
    await wall.plant("CREATE VIEW {a}_raw.huge AS SELECT repeat('x', 200000000) AS x, 1 AS y")
    row = (await wall.a.get(f"{TABLES}/raw/huge/rows")).json()["rows"][0]
    assert (len(row[0]), row[1]) == (tables.MAX_CELL, 1)
    wide = ", ".join(f"repeat('x', 20000) AS c{number}" for number in range(400))
    await wall.plant(
        f"CREATE VIEW {{a}}_raw.wide AS SELECT {wide} FROM generate_series(1, 500) AS g"
    )
    answer = await wall.a.get(f"{TABLES}/raw/wide/rows?limit=500")
    assert answer.status_code == 200
    assert 0 < len(answer.json()["rows"]) < 10
    assert len(answer.content) < 2 * tables.MAX_CHARACTERS
    await wall.plant("CREATE DOMAIN {a}_raw.int4 AS text")
    await wall.plant("CREATE TYPE {a}_raw.uuid AS (x text)")
    await wall.plant(
        "CREATE VIEW {a}_raw.disguised AS SELECT repeat('x', 20000)::{a}_raw.int4 AS x,"
        " ROW(repeat('x', 20000))::{a}_raw.uuid AS y, p.ctid, current_user, p AS whole"
        " FROM {a}_raw.people p"
    )
    (row,) = (await wall.a.get(f"{TABLES}/raw/disguised/rows")).json()["rows"]
    assert [len(value) for value in row[:2]] == [tables.MAX_CELL, tables.MAX_CELL]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT p FROM pg_catalog.pg_proc p",
        "SELECT date '5000000-01-01' AS x",
        "SELECT date '0044-03-15 BC' AS x",
        "SELECT timestamptz '290000-01-01' AS x",
        "SELECT interval '170000000 years' AS x",
        "SELECT time '24:00' AS x, 'infinity'::timestamptz AS y, '-infinity'::date AS z",
        "SELECT ROW(1, 'x') = ROW(2, 'y') AS x, ARRAY[ARRAY[NULL::int]] AS y, ''::bytea AS z",
        "SELECT xid '1' AS x, pg_lsn '0/1' AS y, B'1010' AS z, '1'::oid AS o, 'a'::name AS n",
        "SELECT",
    ],
)
async def test_odd_values_are_shown_or_told(wall: Wall, query: str) -> None:
    await wall.plant(f"CREATE VIEW {{a}}_raw.odd AS {query}")
    answer = await wall.a.get(f"{TABLES}/raw/odd/rows")
    assert answer.status_code in (200, 404, 422), answer.text


async def test_values_as_json_says_them(wall: Wall) -> None:
    await wall.plant(
        "CREATE VIEW {a}_raw.kinds AS SELECT 1 AS i, 1.5::float8 AS f, 'NaN'::float8 AS n,"
        " true AS b, NULL::text AS e, date '2013-01-02' AS d, numeric '1.10' AS m,"
        " ARRAY[1, 2] AS a, '{{\"k\": 1}}'::jsonb AS j, '\\x6162'::bytea AS y,"
        " timestamptz '2013-01-02 03:04:05+00' AS t"
    )
    (row,) = (await wall.a.get(f"{TABLES}/raw/kinds/rows")).json()["rows"]
    expected = [1, 1.5, "nan", True, None, "2013-01-02", "1.10", "{1,2}", '{"k": 1}', "\\x6162"]
    assert row == [*expected, "2013-01-02T03:04:05+00:00"]


# Quotes, ends of statements, what PostgreSQL cuts at 63 bytes, what no name can hold.
PIECES = st.sampled_from(
    [
        *('"', "'", '""', ";", "--", "/*", "*/", "\\", "%I", "%s", "$1", "$$", "{", "}"),
        *("\0", "\n", " ", ".", "..", "/", "%00", "é", "\U0001d535" * 20, "x" * 70),
        *("DROP TABLE", "people", "pg_catalog", "raw"),
    ]
)
NAMES = st.lists(PIECES, min_size=1, max_size=5).map("".join) | st.text(min_size=1, max_size=63)


@given(dataset=st.just("raw") | NAMES, table=NAMES, make=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_odd_names_find_their_own_table_or_none(
    wall: Wall, dataset: str, table: str, make: bool
) -> None:
    """A table of any name is read by exactly this name; any other name finds nothing."""
    made = make and await _made(wall, table)
    for question in ("rows", "count"):
        path = f"{TABLES}/{quote(dataset, safe='')}/{quote(table, safe='')}/{question}"
        answer = await wall.a.get(path)
        assert answer.status_code in (200, 404, 405, 422), (dataset, table, answer.text)
        assert wall.canary not in answer.text
        if made and dataset == "raw" and "/" not in table and table.strip(".") == table:
            assert answer.status_code == 200, (table, answer.text)
        if answer.status_code == 200 and question == "rows":
            assert answer.json()["rows"] in ([[table]], [["own"]])
    assert (await wall.a.get(f"{TABLES}/raw/people/count")).json() == {"rows": 1}


async def _made(wall: Wall, name: str) -> bool:
    """Makes a table of that name, which holds its name, where PostgreSQL takes it whole."""
    if "\0" in name or len(name.encode(errors="surrogatepass")) > 63 or name == "people":
        return False
    place = sql.Identifier(f"{wall.a.slug}_raw", name)
    statement = sql.SQL("CREATE TABLE IF NOT EXISTS {} AS SELECT {}::text AS x")
    try:
        await wall.attacker.execute(statement.format(place, sql.Literal(name)))
    except (psycopg.Error, UnicodeEncodeError):
        return False
    return True


def test_no_name_is_put_into_sql_by_hand() -> None:
    """What stands between the quotes comes from PostgreSQL's own quoting, or from a slug."""
    impossible: list[Any] = ["a\0b", "raw_staging", "Raw", "raw.x", "", "x" * 41, 'raw"']
    assert not any(tables.Place("demo", name, "t").is_possible() for name in impossible[1:])
    assert not tables.Place("demo", "raw", impossible[0]).is_possible()
