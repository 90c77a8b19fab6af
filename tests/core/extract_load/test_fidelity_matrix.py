"""Type by type and value by value: every cell arrives equal, on either path, however it is loaded.

In binary only tables go whose types all are the same on both sides; one column of another type is
enough for all of them to go as text.
"""

import pytest
from psycopg import sql

from etlfabric_core.errors import TerminalError
from tests.core.extract_load.fidelity_values import AS_TEXT, MAKE_TYPES, SAME, TEXT_ONLY
from tests.core.extract_load.paths import watched_formats
from tests.loading import Warehouse, new_warehouse, plan, run

TYPES = {"BINARY": SAME, "TEXT": {**SAME, **TEXT_ONLY, **AS_TEXT}}
HOW = {
    "append": {},
    "replace": {"write_disposition": "replace"},
    "merge": {"write_disposition": "merge", "primary_key": ["id"]},
}
COLUMNS = (
    "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = "
    "to_regclass(%s) and attnum > 0 and not attisdropped and attname !~ '^_dlt' order by attnum"
)


@pytest.fixture(scope="module")
def source(postgres):
    """`types_binary` and `types_text`: a column per type, a row per value, then a row of NULLs."""
    with new_warehouse(postgres) as made:
        made.execute(MAKE_TYPES)
        for path, types in TYPES.items():
            fill(made, f"types_{path.lower()}", types)
        yield made


def fill(source: Warehouse, table: str, types: dict[str, list[str]]) -> None:
    columns = ", ".join(f"c{place} {type_}" for place, type_ in enumerate(types))
    source.execute(f"create table {table} (id int primary key, {columns})")
    for row in range(max(map(len, types.values())) + 1):
        values = [values[row] if row < len(values) else None for values in types.values()]
        literals = sql.SQL(", ").join(map(sql.Literal, [row, *values]))
        source.execute(
            sql.SQL("insert into {} values ({})").format(sql.Identifier(table), literals)
        )
    grant(source)


def grant(source: Warehouse) -> None:
    source.execute(f"grant select on all tables in schema demo_raw to {source.role}")


def load(warehouse, origin, tmp_path, epoch=1, **resource):
    endpoint = origin.endpoint(schema=origin.dataset)
    return run(plan(warehouse, endpoint, resource), tmp_path, {}, epoch)


def cells(warehouse: Warehouse, table: str) -> list[tuple[str, ...]]:
    """Every row as PostgreSQL writes it, in the order of the first column."""
    names = [name for name, _ in warehouse.execute(COLUMNS, [f'"{table}"'])]
    written = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(n)) for n in names)
    return warehouse.execute(
        sql.SQL("select {} from {} order by {}").format(
            written, sql.Identifier(table), sql.Identifier(names[0])
        )
    )


@pytest.mark.feature("C3", "C5")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("path", TYPES)
def test_no_cell_changes(warehouse, source, tmp_path, monkeypatch, path, how):
    formats = watched_formats(monkeypatch)
    table = f"types_{path.lower()}"
    for epoch in (1, 2) if how != "append" else (1,):
        load(warehouse, source, tmp_path, epoch, name=table, **HOW[how])
    assert set(formats) == {path}
    given, arrived = cells(source, table), cells(warehouse, table)
    assert len(arrived) == len(given)
    changed = [
        (type_, given[row][place + 1], arrived[row][place + 1])
        for row in range(len(given))
        for place, type_ in enumerate(TYPES[path])
        if given[row][place + 1] != arrived[row][place + 1]
    ]
    assert changed == []
    types = dict(warehouse.execute(COLUMNS, [table]))
    expected = [type_ if type_ not in AS_TEXT else "text" for type_ in TYPES[path]]
    assert [types[f"c{place}"] for place in range(len(expected))] == expected
    # What looks the same may differ in bits: -0, NaN, padding, the bounds of arrays.
    if path == "BINARY":
        assert bits(warehouse, table) == bits(source, table)


def bits(warehouse: Warehouse, table: str) -> list[tuple[int, str]]:
    names = ", ".join(f"c{place}" for place in range(len(SAME)))
    return warehouse.execute(
        f"select id, md5(record_send(row({names}))::text) from {table} order by id"
    )


ODD = {
    "select": 'create table "select" ("order" int primary key, "group" text)',
    'a "quoted" name': 'create table "a ""quoted"" name" ("My Col" int primary key, "%s {}" text)',
    "🦆 ducks": 'create table "🦆 ducks" ("🦆 id" int primary key, "größe" text)',
}


@pytest.mark.feature("C3")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", ODD)
def test_odd_names(warehouse, source, tmp_path, name, how):
    source.execute(ODD[name].replace("create table", "create table if not exists"))
    table = sql.Identifier(name)
    source.execute(sql.SQL("truncate {}").format(table))
    source.execute(sql.SQL("insert into {} values (1, ''), (2, null)").format(table))
    grant(source)
    key = source.execute(COLUMNS, [table.as_string()])[0][0]
    resource = {**HOW[how], **({"primary_key": [key]} if how == "merge" else {})}
    load(warehouse, source, tmp_path, name="odd", source=name, **resource)
    assert cells(warehouse, "odd") == [("1", ""), ("2", None)]


SHAPES = {
    "a view": "create view {name} as select n as id, n / 2.0 as half from generate_series(1, 3) n",
    "a generated column": (
        "create table {name} (id int, twice int generated always as (id * 2) stored);"
        "insert into {name} values (1), (2)"
    ),
    "no key, equal rows": (
        "create table {name} (id int, v text); insert into {name} values (1, 'a'), (1, 'a')"
    ),
    "no rows": "create table {name} (id int, v text, m numeric(6, 2))",
    "a dropped column": (
        "create table {name} (id int, gone text, v text); insert into {name} values (1, 'x', 'y');"
        "alter table {name} drop column gone"
    ),
    "partitions": (
        "create table {name} (id int, v text) partition by list (id);"
        "create table {name}_1 partition of {name} for values in (1);"
        "create table {name}_2 partition of {name} for values in (2);"
        "insert into {name} values (1, 'a'), (2, 'b')"
    ),
    "a materialized view": "create materialized view {name} as select 1 as id, ''::text as v",
    "1,599 columns": "create table {name} (id int, {columns}); insert into {name} values (1)",
}


@pytest.mark.feature("C3")
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_tables(warehouse, source, tmp_path, shape):
    name = f"shape_{list(SHAPES).index(shape)}"
    columns = ", ".join(f"c{place} int default {place}" for place in range(1_598))
    source.execute(SHAPES[shape].format(name=name, columns=columns))
    grant(source)
    how = "append" if "columns" in shape else "replace"
    result = load(warehouse, source, tmp_path, name=name, write_disposition=how)
    assert cells(warehouse, name) == cells(source, name)
    assert result.tables[0].loaded == source.count(name)
    expected = source.execute(COLUMNS, [name])
    assert warehouse.execute(COLUMNS, [name]) == expected


def test_one_column_more_than_postgres_has_room_for(warehouse, source, tmp_path):
    """Ours, which names the load, would be the 1,601st."""
    columns = ", ".join(f"c{place} int" for place in range(1_600))
    source.execute(f"create table too_wide ({columns})")
    grant(source)
    with pytest.raises(TerminalError, match="at most 1600 columns"):
        load(warehouse, source, tmp_path, name="too_wide")


LATIN1 = "template template0 encoding 'LATIN1' locale_provider libc locale 'C'"


@pytest.mark.parametrize("path", TYPES)
@pytest.mark.parametrize("sides", [("", LATIN1), (LATIN1, ""), (LATIN1, LATIN1)])
def test_databases_in_other_encodings(postgres, tmp_path, monkeypatch, path, sides):
    formats = watched_formats(monkeypatch)
    with new_warehouse(postgres, sides[0]) as source, new_warehouse(postgres, sides[1]) as target:
        more = "" if path == "BINARY" else ", 1::oid as o"
        source.execute(f"create table t as select 1 as id, chr(233) as v {more}")
        grant(source)
        load(target, source, tmp_path, name="t")
        assert target.execute("select ascii(v) from t") == [(233,)]
    assert set(formats) == {path}
