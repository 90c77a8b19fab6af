"""Where a live load begins: rows that come late, ties at the highest value, and a distance."""

from datetime import UTC, date, datetime

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.cursors import lagged
from etlfabric_core.graph.resources import ResourceConfig
from tests.core.extract_load.test_cursors_and_windows import APPEND, DAYS, MERGE, TYPED, Loads
from tests.loading import plan, run

pytestmark = pytest.mark.feature("C4")

DAY = 86_400
LAG = {"column": "at", "lag": 3 * DAY}
LATE = ["97,2024-01-06T12:00:00Z,too late", "98,2024-01-08T12:00:00Z,late"]


@pytest.mark.parametrize("types", [{}, TYPED], ids=["text", "timestamp"])
@pytest.mark.parametrize("strategy", ["delete-insert", "upsert", "insert-only"])
def test_a_lag_takes_late_rows_once(warehouse, tmp_path, types, strategy):
    loads = Loads(warehouse, tmp_path, **MERGE, **types, cursor=LAG, merge_strategy=strategy)
    loads.run(DAYS[:9])  # up to day 9, so the next load begins at day 6
    for _ in range(2):
        loads.run([*DAYS[:9], "96,2024-01-06T11:59:59Z,before", *LATE])
        assert [int(row[0]) for row in loads.rows()] == [*range(1, 10), 97, 98]


def test_a_lag_does_not_move_the_cursor_back(warehouse, tmp_path):
    loads = Loads(warehouse, tmp_path, **MERGE, **TYPED, cursor=LAG)
    loads.run(DAYS[:9])
    for _ in range(3):
        loads.run(DAYS[5:6])  # rows after it are gone from the source
    loads.run([*DAYS[:9], "95,2024-01-05T12:00:00Z,too late"])
    assert "95" not in [row[0] for row in loads.rows()]


def test_a_lag_does_not_reach_behind_the_initial_value(warehouse, tmp_path):
    cursor = {**LAG, "initial_value": "2024-01-08T00:00:00Z"}
    loads = Loads(warehouse, tmp_path, **MERGE, **TYPED, cursor=cursor)
    for _ in range(2):
        loads.run(DAYS[:9])
    assert [row[0] for row in loads.rows()] == ["8", "9"]


@pytest.mark.parametrize("types", [{}, TYPED], ids=["text", "timestamp"])
@pytest.mark.parametrize("how", [APPEND, MERGE], ids=["append", "merge"])
@pytest.mark.parametrize("boundary", ["inclusive", "exclusive"])
def test_ties_at_the_boundary(warehouse, tmp_path, how, types, boundary):
    cursor = {"column": "at", "boundary": boundary}
    loads = Loads(warehouse, tmp_path, **how, **types, cursor=cursor)
    loads.run(DAYS[:3])
    tie = "99,2024-01-03T12:00:00Z,tie"
    for _ in range(2):
        loads.run([*DAYS[:4], tie])
    found = [int(row[0]) for row in loads.rows()]
    assert found == ([1, 2, 3, 4, 99] if boundary == "inclusive" else [1, 2, 3, 4])


@pytest.mark.parametrize("type_", ["timestamptz", "timestamp", "date", "integer", "float8"])
def test_a_lag_on_the_types_of_a_server(warehouse, tmp_path, type_):
    is_number = type_ in ("integer", "float8")
    warehouse.execute("create schema source")
    warehouse.execute(f"create table source.t (id int primary key, at {type_})")
    warehouse.execute(f"grant usage on schema source to {warehouse.role}")
    warehouse.execute(f"grant select on source.t to {warehouse.role}")
    value = "%s" if is_number else "timestamp '2024-01-01 12:00:00.25' + %s * interval '1 day'"
    insert = f"insert into source.t select %s, {value}"
    lag = 3 if is_number else 3 * DAY
    spec = {"name": "t", **MERGE, "cursor": {"column": "at", "lag": lag}}
    made = plan(warehouse, warehouse.endpoint(), spec, source_schema="source")
    for epoch, rows in enumerate([[1, 2, 9], [5, 6, 8], [10]], start=1):
        for number in rows:
            warehouse.execute(insert, [number, number])
        run(made, tmp_path / "work", {}, epoch)
    found = [row[0] for row in warehouse.execute("select id from demo_raw.t order by id")]
    assert found == [1, 2, 6, 8, 9, 10]


@pytest.mark.parametrize(
    ("highest", "lag", "start"),
    [
        ("2024-01-05 12:00:00.5+00", 1, "2024-01-05 11:59:59"),
        ("2024-01-05T00:00:00Z", 1, "2024-01-04T23:59:59"),
        ("2024-01-05", DAY, "2024-01-04"),
        ("2024-01-05", 1, "2024-01-04"),
        (date(2024, 1, 5), 1, date(2024, 1, 4)),
        (datetime(2024, 1, 5, tzinfo=UTC), 0.5, datetime(2024, 1, 4, 23, 59, 59, 500000, UTC)),
        (2**62 + 1, 1, 2**62),
        (1.5, 1, 0.5),
    ],
)
def test_the_start_lies_before_the_highest_value(highest, lag, start):
    assert lagged(highest, lag, "at") == start
    assert type(lagged(highest, lag, "at")) is type(highest)
    assert start < highest


@pytest.mark.parametrize("highest", ["infinity", "0044-03-15 12:00:00 BC", date.min])
def test_a_value_without_a_before_is_told(highest):
    with pytest.raises(TerminalError, match="cursor 'at': there is no time"):
        lagged(highest, DAY, "at")


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"write_disposition": "append", "cursor": LAG}, "use merge"),
        ({"write_disposition": "insert", "primary_key": ["id"], "cursor": LAG}, "use merge"),
        ({"write_disposition": "replace", "cursor": LAG}, "use merge"),
        ({**MERGE, "cursor": {**LAG, "boundary": "exclusive"}}, "leave the boundary inclusive"),
        ({**MERGE, "cursor": {**LAG, "lag": -1}}, "greater than or equal"),
    ],
)
def test_a_lag_that_would_double_rows_is_refused(resource, words):
    with pytest.raises(ValueError, match=words):
        ResourceConfig.model_validate({"name": "t", **resource})
