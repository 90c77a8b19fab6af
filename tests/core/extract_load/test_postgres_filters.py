"""Row filters on PostgreSQL: compared by the column's own type, in the source's own SQL."""

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources import open_reader
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig
from tests.loading import new_warehouse, plan, run

TABLE = """
create type mood as enum ('sad', 'ok', 'happy');
create domain positive as int check (value > 0);
create table t (id int, n int, name text, price numeric(6, 2), code char(4), short varchar(3),
  yes boolean, at timestamptz, day date, feeling mood, size positive, address inet, doc json);
insert into t values
  (1, 9, 'a', 1.00, 'x', 'abc', true, '2024-01-01 12:00+02', '2024-01-01', 'sad', 1,
   '10.0.0.1', '1'),
  (2, 10, 'B', 1.01, 'yy', 'abd', false, '2024-01-01 12:00+00', '2024-01-02', 'ok', 2,
   '10.0.0.2', '2'),
  (3, 100, 'it''s "x" \\ {}', 2.50, 'zzzz', '', true, 'infinity', '0044-03-15 BC', 'happy', 30,
   '9.0.0.1', '3'),
  (4, null, null, null, null, null, null, null, null, null, null, null, null);
"""


@pytest.fixture(scope="module")
def source(postgres):
    with new_warehouse(postgres) as made:
        made.execute(TABLE)
        made.execute(f"grant select on all tables in schema demo_raw to {made.role}")
        yield made


def ids(source, *filters, limit=None) -> list[int]:
    """The rows that a reader gives."""
    resource = ResourceConfig.model_validate({"name": "t", "filters": filters})
    config = PipelineConfig(resources=(resource,))
    endpoint = source.endpoint(schema=source.dataset)
    with open_reader(endpoint, {}, config) as reader:
        selection = Selection(filters=resource.filters, limit=limit)
        batches = list(reader.table(resource).read(selection))
    return sorted(row for batch in batches for row in batch.column("id").to_pylist())


def condition(column, op, value) -> dict[str, object]:
    return {"column": column, "op": op, "value": value}


@pytest.mark.feature("C9")
@pytest.mark.parametrize(
    ("column", "op", "value", "expected"),
    [
        ("n", "eq", 10, [2]),
        ("n", "ne", 10, [1, 3]),  # NULL meets none, this one included
        ("n", "gt", 9, [2, 3]),  # as numbers: as texts 100 < 9
        ("n", "gte", "9", [1, 2, 3]),
        ("n", "lt", 100, [1, 2]),
        ("n", "lte", 9, [1]),
        ("n", "in", [9, 100, 7], [1, 3]),
        ("n", "not_in", [9], [2, 3]),
        ("n", "in", [], []),
        ("n", "not_in", [], [1, 2, 3]),
        ("name", "eq", 'it\'s "x" \\ {}', [3]),
        ("name", "eq", "a' or true --", []),
        ("price", "eq", 1, [1]),
        ("price", "eq", "1.005", []),  # not rounded to the column's scale first
        ("price", "gt", 1.005, [2, 3]),
        ("code", "eq", "x", [1]),
        ("short", "eq", "abcd", []),  # not cut to the column's length first
        ("short", "eq", "", [3]),
        ("yes", "eq", True, [1, 3]),
        ("yes", "ne", True, [2]),
        ("at", "lt", "2024-01-01T11:00:00Z", [1]),
        ("at", "eq", "infinity", [3]),
        ("day", "lte", "2024-01-01", [1, 3]),
        ("feeling", "gte", "ok", [2, 3]),  # in the order of the enum
        ("size", "gt", 4, [3]),
        ("address", "lt", "10.0.0.2", [1, 3]),
    ],
)
def test_a_filter_compares_by_the_type_of_its_column(source, column, op, value, expected):
    assert ids(source, condition(column, op, value)) == expected


@pytest.mark.feature("C9")
def test_all_filters_hold_and_the_limit_counts_what_is_left(source):
    both = (condition("n", "gt", 1), condition("yes", "eq", True))
    assert ids(source, *both) == [1, 3]
    assert len(ids(source, *both, limit=1)) == 1
    assert ids(source, limit=0) == []


@pytest.mark.feature("C9")
@pytest.mark.parametrize(
    ("given", "words", "hint"),
    [
        (condition("nope", "eq", 1), "resource 't', filters: no column 'nope'", "id, n, name"),
        (condition("n", "eq", "many"), "filters: column 'n' cannot be compared by 'eq'", "22P02"),
        (condition("feeling", "in", ["ok", "so so"]), "column 'feeling'", "22P02"),
        (condition("doc", "eq", "1"), "column 'doc'", "42883"),
    ],
)
def test_a_filter_that_cannot_be_is_told_by_its_column(source, given, words, hint):
    with pytest.raises(TerminalError, match=words) as caught:
        ids(source, given)
    assert hint in (caught.value.hint or "")


@pytest.mark.feature("C9")
@pytest.mark.parametrize("cursor", [None, {"column": "n"}], ids=["whole", "from the cursor on"])
def test_a_load_takes_only_what_the_filters_leave(warehouse, source, tmp_path, cursor):
    filters = [condition("n", "not_in", [10]), condition("price", "gte", "1")]
    resource = {"name": "t", "cursor": cursor, "filters": filters}
    endpoint = source.endpoint(schema=source.dataset)
    result = run(plan(warehouse, endpoint, resource), tmp_path, {})
    assert (result.tables[0].extracted, result.tables[0].loaded) == (2, 2)
    assert warehouse.execute("select id from t order by id") == [(1,), (3,)]
