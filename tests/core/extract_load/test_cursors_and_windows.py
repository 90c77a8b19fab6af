"""What a cursor leaves out, and what a backfill reloads: every row once, however often it runs."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load import state
from etlfabric_core.extract_load.plan import LoadPlan, LoadResult, StateChange, Window
from etlfabric_core.graph.configs import PipelineConfig
from tests.loading import Warehouse, csv_source, plan, run

HEADER = "id,at,v"
DAYS = [f"{day},2024-01-{day:02}T12:00:00Z,first" for day in range(1, 11)]


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


class Loads:
    """One pipeline over a file that the test rewrites."""

    def __init__(self, warehouse: Warehouse, tmp_path: Path, **resource: object) -> None:
        self.warehouse = warehouse
        self.tmp_path = tmp_path
        self.resource = {"name": "t", "source": "t.csv", "cursor": {"column": "at"}, **resource}
        self.epoch = 0

    def run(self, rows: Iterable[str], window: Window | None = None) -> LoadResult:
        path = self.tmp_path / "t.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n")
        files = {"t.csv": path}
        self.epoch += 1
        load_plan = plan(self.warehouse, csv_source(files), self.resource, window=window)
        return run(load_plan, self.tmp_path / "work", files, self.epoch)

    def rows(self) -> list[tuple[str, str]]:
        return self.warehouse.execute("select id, v from t order by id::int, v")


APPEND = {"write_disposition": "append"}
MERGE = {"write_disposition": "merge", "primary_key": ["id"]}
TYPED = {"columns": {"at": {"type": "timestamp"}}}


@pytest.mark.feature("C4", "C5")
@pytest.mark.parametrize("types", [{}, TYPED], ids=["text", "timestamp"])
@pytest.mark.parametrize("how", [APPEND, MERGE], ids=["append", "merge"])
def test_a_live_load_takes_what_is_new(warehouse, tmp_path, how, types):
    loads = Loads(warehouse, tmp_path, **how, **types)
    assert loads.run(DAYS[:5]).tables[0].loaded == 5
    loads.run(DAYS[:5])
    # A second row at the newest time is new; rows behind the cursor are not looked at again.
    late = ["99,2024-01-05T12:00:00Z,late", "98,2024-01-02T12:00:00Z,behind"]
    loads.run([*DAYS[:7], *late])
    ids = [int(row[0]) for row in loads.rows()]
    assert ids == [1, 2, 3, 4, 5, 6, 7, 99]


@pytest.mark.feature("C4")
def test_the_initial_value_bounds_the_first_load(warehouse, tmp_path):
    cursor = {"column": "at", "initial_value": "2024-01-08T00:00:00Z"}
    loads = Loads(warehouse, tmp_path, **APPEND, **TYPED, cursor=cursor)
    loads.run(DAYS)
    assert [row[0] for row in loads.rows()] == ["8", "9", "10"]


FORMS = ["2024-01-08T05:00:00Z", "2024-01-08 05:00", "2024-01-08T07:00:00.000+02:00"]


@pytest.fixture(params=["timestamptz", "timestamp"])
def hours(request: pytest.FixtureRequest, warehouse: Warehouse) -> LoadPlan:
    """The load of a table that has a row for each of ten hours."""
    warehouse.execute("create schema source")
    warehouse.execute(f"create table source.t (id int primary key, at {request.param})")
    warehouse.execute(f"grant usage on schema source to {warehouse.role}")
    warehouse.execute(f"grant select on source.t to {warehouse.role}")
    add_hours(warehouse, range(10))
    return plan(warehouse, warehouse.endpoint(), {"name": "t"}, source_schema="source")


def add_hours(warehouse: Warehouse, numbers: Iterable[int]) -> None:
    made = "timestamp '2024-01-08 00:00' + %s * interval '1 hour'"
    for number in numbers:
        warehouse.execute(f"insert into source.t select %s, {made}", [number, number])


def following(made: LoadPlan, **cursor: str) -> LoadPlan:
    followed = {"resources": [{"name": "t", "cursor": {"column": "at", **cursor}}]}
    config = made.config.model_dump() | followed
    return made.model_copy(update={"config": PipelineConfig.model_validate(config)})


@pytest.mark.feature("C4")
@pytest.mark.parametrize("form", FORMS)
def test_a_beginning_is_a_moment_in_whichever_form(
    warehouse: Warehouse, hours: LoadPlan, tmp_path: Path, form: str
) -> None:
    """Databases tell their moments as texts; no row of the same day is lost to another form."""
    made = following(hours, initial_value=form)
    for epoch, ids in enumerate([[5, 6, 7, 8, 9], [5, 6, 7, 8, 9, 10]], start=1):
        run(made, tmp_path / "work", {}, epoch)
        assert [id for (id,) in warehouse.execute("select id from t order by id")] == ids
        add_hours(warehouse, [9 + epoch])


@pytest.mark.feature("C4")
@pytest.mark.parametrize("form", FORMS)
def test_an_exclusive_beginning_is_left_out(
    warehouse: Warehouse, hours: LoadPlan, tmp_path: Path, form: str
) -> None:
    run(following(hours, initial_value=form, boundary="exclusive"), tmp_path / "work", {}, 1)
    assert [id for (id,) in warehouse.execute("select id from t order by id")] == [6, 7, 8, 9]


@pytest.mark.feature("C4", "X3")
@pytest.mark.parametrize("beyond", ["infinity", "10000-01-01"])
def test_a_row_that_none_would_follow_is_refused(
    warehouse: Warehouse, hours: LoadPlan, tmp_path: Path, beyond: str
) -> None:
    """As a text the year 10000 sorts before 2024, and nothing at all sorts after infinity."""
    made = following(hours)
    run(made, tmp_path / "work", {}, 1)
    add_hours(warehouse, [10])
    warehouse.execute("insert into source.t values (98, '-infinity'), (99, %s)", [beyond])
    with pytest.raises(TerminalError, match=f"no row would follow one at {beyond}"):
        run(made, tmp_path / "work", {}, 2)
    assert warehouse.count("t") == 10
    warehouse.execute("delete from source.t where id = 99")
    run(made, tmp_path / "work", {}, 3)
    assert warehouse.count("t") == 11


@pytest.mark.feature("C4", "X4")
@pytest.mark.parametrize("form", FORMS)
def test_so_is_a_cursor_that_somebody_has_set(
    warehouse: Warehouse, hours: LoadPlan, tmp_path: Path, form: str
) -> None:
    made = following(hours)
    run(made, tmp_path / "work", {}, 1)
    asked = StateChange(action="set", resource="t", column="at", value=form)
    state.change(warehouse.endpoint(), made.pipeline, made.dataset, epoch=2, asked=asked)
    warehouse.execute("delete from t where id >= 5")
    run(made, tmp_path / "work", {}, 3)
    assert [id for (id,) in warehouse.execute("select id from t order by id")] == [*range(10)]


@pytest.mark.feature("C5")
def test_replace_reads_everything_even_with_a_cursor(warehouse, tmp_path):
    loads = Loads(warehouse, tmp_path, write_disposition="replace")
    loads.run(DAYS)
    loads.run(DAYS[:3])
    assert len(loads.rows()) == 3


@pytest.mark.feature("C4")
@pytest.mark.parametrize("types", [{}, TYPED], ids=["text", "timestamp"])
@pytest.mark.parametrize(
    "how", [APPEND, MERGE, {"write_disposition": "replace"}], ids=["append", "merge", "replace"]
)
def test_a_backfill_twice_is_a_backfill_once(warehouse, tmp_path, how, types):
    loads = Loads(warehouse, tmp_path, **how, **types)
    loads.run(DAYS)
    corrected = [row.replace("first", "second") for row in DAYS]
    window = Window(start=day(3), end=day(5))
    for _ in range(2):
        result = loads.run(corrected, window)
        assert result.tables[0].loaded == 2
        expected = [(str(n), "second" if n in (3, 4) else "first") for n in range(1, 11)]
        assert loads.rows() == expected


@pytest.mark.feature("C4")
def test_a_backfill_neither_reads_nor_moves_the_live_cursor(warehouse, tmp_path):
    loads = Loads(warehouse, tmp_path, **APPEND)
    loads.run(DAYS[:6])
    loads.run(DAYS, Window(start=day(2), end=day(4)))
    loads.run(DAYS, Window(start=day(9), end=day(11)))  # ahead of the live cursor
    assert len(loads.rows()) == 8
    loads.run(DAYS)  # from day 6 on: 7 to 10, of which 9 and 10 are there already
    assert [int(row[0]) for row in loads.rows()] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10, 10]


def test_a_window_counts_in_utc(warehouse, tmp_path):
    rows = ["1,2024-01-01T23:30:00-02:00,x", "2,2024-01-02T01:00:00+02:00,x"]
    loads = Loads(warehouse, tmp_path, **APPEND, **TYPED)
    loads.run(rows, Window(start=day(2), end=day(3)))
    assert loads.rows() == [("1", "x")]


def test_what_has_no_cursor_is_skipped_in_a_backfill(warehouse, tmp_path):
    loads = Loads(warehouse, tmp_path, **APPEND, cursor=None)
    loads.run(DAYS)
    result = loads.run(DAYS, Window(start=day(1), end=day(31)))
    assert result.skipped == ("t",)
    assert result.tables == ()
    assert len(loads.rows()) == 10


@pytest.mark.parametrize(
    ("rows", "resource", "words"),
    [
        (["1,9,x", "2,10,y"], {}, "do not sort in order"),
        (["1,2024-01-01T12:00:00+02:00,x"], {}, "do not sort in order"),
        (["1,,x"], TYPED, "no value in the cursor column"),
        (["1,1,x"], {"cursor": {"column": "nope"}}, "cursor: no column 'nope'"),
        (["1,1,x"], {"columns": {"at": {"type": "boolean"}}}, "cannot be a cursor"),
        (
            DAYS,
            {**TYPED, "cursor": {"column": "at", "initial_value": "soon"}},
            "initial_value: not a value",
        ),
    ],
)
def test_cursors_that_would_lose_rows_are_refused(warehouse, tmp_path, rows, resource, words):
    with pytest.raises(TerminalError, match=words):
        Loads(warehouse, tmp_path, **APPEND, **resource).run(rows)


def test_an_integer_cursor_counts_as_a_number(warehouse, tmp_path):
    loads = Loads(warehouse, tmp_path, **APPEND, columns={"at": {"type": "integer"}})
    loads.run(["1,9,x"])
    loads.run(["1,9,x", "2,10,y"])
    loads.run(["1,9,x", "2,10,y", "3,100,z"])
    assert len(loads.rows()) == 3
