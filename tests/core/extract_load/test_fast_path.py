"""PostgreSQL to PostgreSQL as binary files: when, and that it loads what the other way loads."""

from datetime import UTC, datetime

import pytest

from etlfabric_core.errors import FabricError, TerminalError, TransientError
from etlfabric_core.extract_load.plan import LoadResult, Window
from etlfabric_core.extract_load.sources import postgres_copy
from tests.core.extract_load.paths import watched_formats
from tests.loading import Holder, new_warehouse, plan, run

ROWS = (
    "create table t (id bigint primary key, v text, at timestamptz);"
    "insert into t select n, 'row ' || n, timestamptz '2024-01-01' + n * interval '1 day' "
    "from generate_series(0, 99) n"
)
SAME = "select id, v, at from t order by id"
HOW = {
    "append": {},
    "replace": {"write_disposition": "replace"},
    "merge": {"write_disposition": "merge", "primary_key": ["id"]},
    "insert": {"write_disposition": "insert", "primary_key": ["id"]},
}


@pytest.fixture
def source(postgres):
    with new_warehouse(postgres) as made:
        made.execute(ROWS)
        made.execute(f"grant select on all tables in schema demo_raw to {made.role}")
        yield made


@pytest.fixture
def formats(monkeypatch) -> list[str]:
    return watched_formats(monkeypatch)


class Loads:
    """One pipeline from `source` to `warehouse`."""

    def __init__(self, warehouse, source, tmp_path) -> None:
        self.warehouse, self.source, self.tmp_path = warehouse, source, tmp_path
        self.epoch = 0

    def run(self, window: Window | None = None, name: str = "t", **resource) -> LoadResult:
        self.epoch += 1
        endpoint = self.source.endpoint(schema=self.source.dataset)
        load_plan = plan(self.warehouse, endpoint, {"name": name, **resource}, window=window)
        return run(load_plan, self.tmp_path, {}, self.epoch)

    def are_exact(self) -> bool:
        return self.warehouse.execute(SAME) == self.source.execute(SAME)


@pytest.fixture
def loads(warehouse, source, tmp_path) -> Loads:
    return Loads(warehouse, source, tmp_path)


def counts(result: LoadResult) -> tuple[int, int, int]:
    table = result.tables[0]
    return table.extracted, table.normalized, table.loaded


@pytest.mark.feature("C5")
@pytest.mark.parametrize("how", HOW)
def test_whole_tables_pass_as_binary_files(loads, formats, how):
    result = loads.run(**HOW[how])
    assert loads.are_exact()
    assert counts(result) == (100, 100, 100)
    assert result.tables[0].size_bytes > 100 * 20
    assert set(formats) == {"BINARY"}
    marks = loads.warehouse.execute("select distinct _dlt_load_id from t")
    assert marks == [(result.load_ids[0],)]
    assert not any(loads.tmp_path.iterdir())


@pytest.mark.feature("C5")
@pytest.mark.parametrize("how", ["replace", "merge"])
def test_a_second_whole_load_leaves_what_the_source_has(loads, formats, how):
    loads.run(**HOW[how])
    loads.source.execute("update t set v = 'other' where id < 10; insert into t values (100, '')")
    assert counts(loads.run(**HOW[how])) == (101, 101, 101)
    assert loads.are_exact()
    assert set(formats) == {"BINARY"}


@pytest.mark.feature("C4")
@pytest.mark.parametrize("how", ["append", "replace", "merge"])
def test_a_backfill_passes_its_window(loads, formats, how):
    cursor = {"cursor": {"column": "at"}, **HOW[how]}
    loads.run(**cursor)
    formats.clear()
    loads.source.execute("update t set v = 'corrected' where id between 10 and 19")
    window = Window(start=datetime(2024, 1, 11, tzinfo=UTC), end=datetime(2024, 1, 21, tzinfo=UTC))
    for _ in range(2):
        assert counts(loads.run(window, **cursor)) == (10, 10, 10)
        assert loads.are_exact()
    assert set(formats) == {"BINARY"}


def test_rows_that_somebody_has_to_look_at_go_as_text(loads, formats):
    loads.run(cursor={"column": "at"})  # the newest cursor
    loads.run(name="u", source="t", columns={"v": {"functions": [{"name": "upper"}]}})
    loads.source.execute("create type mood as enum ('ok'); create table m as select 'ok'::mood v")
    loads.source.execute(f"grant select on m to {loads.source.role}")
    loads.run(name="m")
    assert set(formats) == {"TEXT"}
    assert loads.are_exact()


def test_filters_do_not_close_the_fast_path(loads, formats):
    loads.run(filters=[{"column": "id", "op": "lt", "value": 7}])
    assert loads.warehouse.count("t") == 7
    assert set(formats) == {"BINARY"}


@pytest.mark.parametrize("rows", [0, 1, 100])
@pytest.mark.parametrize("how", ["append", "replace"])
def test_many_small_files_hold_every_row_once(loads, formats, monkeypatch, how, rows):
    monkeypatch.setattr(postgres_copy, "FILE_BYTES", 200)
    loads.source.execute(f"delete from t where id >= {rows}")
    assert counts(loads.run(**HOW[how])) == (rows, rows, rows)
    assert loads.are_exact()
    assert len(formats) == {0: 0, 1: 1, 100: 25}[rows] if how == "append" else True


@pytest.mark.parametrize(
    ("how", "before", "after", "expected"),
    [
        ("append", "int", "bigint", "TEXT"),  # the same text, other bytes
        ("replace", "int", "bigint", "TEXT"),
        ("merge", "int", "bigint", "TEXT"),
        ("append", "bigint", "int", "TEXT"),
        ("replace", "varchar", "text", "BINARY"),
        ("append", "text", "uuid", "TEXT"),
        ("merge", "real", "double precision", "TEXT"),
    ],
)
def test_a_destination_of_another_type_reads_text(loads, formats, how, before, after, expected):
    """The destination keeps its type; what fits into it arrives, as it did before."""
    value = {"uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "text": "x"}.get(after, "1")
    loads.source.execute(f"create table c (id int primary key, x {before})")
    loads.source.execute(f"grant select on c to {loads.source.role}")
    loads.run(name="c", **HOW[how])
    loads.source.execute(f"alter table c alter x type {after} using x::{after}")
    loads.source.execute(f"insert into c values (1, '{value}'), (2, null)")
    loads.run(name="c", **HOW[how])
    assert loads.warehouse.execute("select id, x::text from c order by id") == [
        (1, value),
        (2, None),
    ]
    assert set(formats) == {expected}


def test_a_type_that_changes_during_the_load_is_not_misread(loads, warehouse, tmp_path):
    """A bigint and a double have eight bytes each."""
    loads.run()
    before = warehouse.execute(SAME)

    class Meddler(Holder):
        def check(self) -> None:
            super().check()
            if self.checks == 2:  # extracted, and about to be loaded
                warehouse.execute("alter table t alter id type double precision")

    from etlfabric_core.extract_load.runner import run_load

    endpoint = loads.source.endpoint(schema=loads.source.dataset)
    load_plan = plan(warehouse, endpoint, {"name": "t"})
    with pytest.raises(TransientError, match="columns id got another type"):
        run_load(
            load_plan,
            work_dir=tmp_path,
            files={},
            lease=Meddler(2),
            progress=lambda stage, rows: None,
        )
    assert warehouse.execute(SAME) == before
    loads.epoch = 2
    loads.run()
    assert warehouse.execute("select count(*), sum(id) from t") == [(200, 2 * sum(range(100)))]


def test_an_error_of_the_source_in_the_middle_is_told(loads):
    loads.source.execute("create view v as select id, 1 / (id - 50) as x from t order by id")
    loads.source.execute(f"grant select on v to {loads.source.role}")
    with pytest.raises(FabricError, match="22012"):
        loads.run(name="v")
    assert loads.warehouse.execute("select to_regclass('demo_raw.v')") == [(None,)]


@pytest.mark.parametrize("how", ["merge", "insert"])
def test_a_row_without_a_key_is_not_merged(loads, how):
    loads.source.execute("create table k (id int, v text)")
    loads.source.execute("insert into k values (1, ''), (null, '')")
    loads.source.execute(f"grant select on k to {loads.source.role}")
    with pytest.raises(TerminalError, match=r"primary_key: 1 rows have no value in \(id\)"):
        loads.run(name="k", **HOW[how])


def test_a_table_that_another_pipeline_made_gets_our_marks(loads, formats):
    loads.source.execute("create table d as select 1 as id, 'theirs'::text as _dlt_load_id")
    loads.source.execute(f"grant select on d to {loads.source.role}")
    result = loads.run(name="d")
    assert loads.warehouse.execute("select * from d") == [(1, result.load_ids[0])]
    assert set(formats) == {"TEXT"}


@pytest.mark.parametrize(
    ("how", "before", "after", "fits", "changes"),
    [
        ("append", "numeric(6,2)", "numeric(10,4)", "1.5000", "1.2345"),
        ("replace", "integer", "numeric", "7", "7.5"),
        ("merge", "real", "double precision", "0.5", "0.1"),
        ("append", "timestamptz(0)", "timestamptz", "2024-01-01Z", "2024-01-01 00:00:00.5Z"),
        ("replace", "varchar(3)", "text", "abc", "abc   "),
    ],
)
def test_a_narrower_destination_refuses_what_it_would_change(
    loads, how, before, after, fits, changes
):
    loads.source.execute(f"create table n (id int primary key, x {before})")
    loads.source.execute(f"grant select on n to {loads.source.role}")
    loads.run(name="n", **HOW[how])
    loads.source.execute(f"alter table n alter x type {after}")
    loads.source.execute(f"insert into n values (1, '{fits}'), (2, null)")
    loads.run(name="n", **HOW[how])
    before_refusal = loads.warehouse.execute("select * from n")
    assert loads.warehouse.execute(
        f"select id, x::{after} = '{fits}'::{after} from n order by id"
    ) == [(1, True), (2, None)]
    loads.source.execute(f"insert into n values (3, '{changes}')")
    with pytest.raises(TerminalError, match="column 'x': 1 values are"):
        loads.run(name="n", **HOW[how])
    assert loads.warehouse.execute("select * from n") == before_refusal
