"""What changed since the last load: found, and let through or not, before anything is written."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import (
    Agreement,
    ColumnChange,
    FoundChanges,
    LoadResult,
    Rejection,
    TableChange,
)
from tests.core.extract_load.one_table import OneTable, postgres_source
from tests.loading import Warehouse, csv_source, plan, run

pytestmark = pytest.mark.feature("C10")

FIDELITY = Path(__file__).parent / "fidelity.sql"
WHOLE = {"mode": "full_database"}
NO_RESOURCES: tuple[dict[str, Any], ...] = ()
MORE_TEXT = {"kind": "column_added", "column": "more", "new": "text"}
GONE_TEXT = {"kind": "column_removed", "column": "v", "old": "text"}
EVOLVE = {"name": "t", "write_disposition": "replace"}


class Shop:
    """A database whose tables change, loaded again and again."""

    def __init__(self, warehouse: Warehouse, tmp_path: Path) -> None:
        self.warehouse, self.tmp_path, self.epoch = warehouse, tmp_path, 0
        self.source: OneTable = postgres_source(warehouse)
        self.execute = self.source.execute
        self.agreement = Agreement()
        self.told: list[FoundChanges] = []
        self.execute("create table t (id int primary key, v text); insert into t values (1, 'a')")
        self.execute("create table u (id int primary key); insert into u values (1)")

    def load(
        self, policy: str = "apply", resources: Iterable[Any] = NO_RESOURCES, **config: Any
    ) -> LoadResult:
        """Loads all tables, or some resources; what was found is in `told`."""
        self.epoch += 1
        self.told.clear()
        given = config or ({} if resources else WHOLE)
        made = plan(
            self.warehouse,
            self.source.endpoint,
            *resources,
            source_schema="source",
            schema_changes=policy,
            **given,
        )
        made = made.model_copy(update={"agreement": self.agreement})
        return run(
            made, self.tmp_path / "work", {}, self.epoch, announce=lambda one: self.told.append(one)
        )

    @property
    def changes(self) -> list[TableChange]:
        """What the last load told, at most once."""
        assert len(self.told) <= 1
        return [change for one in self.told for change in one.tables]

    def columns(self, table: str = "t") -> list[str]:
        found = self.warehouse.execute(
            "select column_name from information_schema.columns where table_schema = %s "
            "and table_name = %s and column_name not like '\\_dlt%%' order by ordinal_position",
            [self.warehouse.dataset, table],
        )
        return [row[0] for row in found]

    def contents(self) -> list[Any]:
        """All that a load could have written."""
        query = "select (select array_agg(t order by id) from {0}.t t)::text, {1}"
        loads = "(select count(*) from {0}._dlt_loads), (select max(version) from {0}._dlt_version)"
        tables = "(select array_agg(c.relname order by 1) from pg_class c where relnamespace = "
        tables += "'{0}'::regnamespace)::text"
        rest = f"(select array_agg(u order by id) from {{0}}.u u)::text, {loads}, {tables}"
        return self.warehouse.execute(query.format("{0}", rest).format(self.warehouse.dataset))


@pytest.fixture
def shop(warehouse: Warehouse, tmp_path: Path) -> Shop:
    return Shop(warehouse, tmp_path)


def changed(table: str, *changes: dict[str, Any]) -> TableChange:
    return TableChange(table=table, changes=tuple(ColumnChange(**one) for one in changes))


@pytest.mark.parametrize("policy", ["apply", "hold", "refuse"])
def test_a_first_load_and_the_same_again_change_nothing(shop: Shop, policy: str) -> None:
    for _ in range(2):
        result = shop.load(policy)
        assert {load.table for load in result.tables} == {"t", "u"}
        assert shop.told == []


CASES: dict[str, tuple[str, TableChange]] = {
    "a new column": ("alter table t add more text", changed("t", MORE_TEXT)),
    "a column that is gone": ("alter table t drop v", changed("t", GONE_TEXT)),
    "another name": (
        "alter table t rename v to more",
        changed("t", MORE_TEXT, GONE_TEXT),
    ),
    "another type": (
        "alter table t alter id type text",
        changed(
            "t",
            {
                "kind": "type_changed",
                "column": "id",
                "old": "integer",
                "new": "text",
                "table_type": "integer",
            },
        ),
    ),
    "a new table": (
        "create table w (id int, name text); insert into w values (1, 'x')",
        changed(
            "w",
            {"kind": "table_added"},
            {"kind": "column_added", "column": "id", "new": "integer"},
            {"kind": "column_added", "column": "name", "new": "text"},
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_policy_does(shop: Shop, case: str) -> None:
    """Nothing is written where it does not go on, not even to the other tables of the load."""
    shop.load()
    statement, change = CASES[case]
    shop.execute(f"{statement}; insert into u values (2)")
    before = shop.contents()
    for policy, words in {"hold": "held for approval", "refuse": "refuses changes"}.items():
        with pytest.raises(TerminalError, match=words) as refusal:
            shop.load(policy)
        assert f"table '{change.table}'" in refusal.value.message
        assert refusal.value.hint
        assert shop.told == [FoundChanges(policy=policy, goes_on=False, tables=(change,))]
        assert shop.contents() == before
    shop.load("apply")
    assert (shop.changes, shop.told[0].goes_on) == ([change], True)
    assert shop.warehouse.count("u") == 2


@pytest.mark.parametrize("case", CASES)
def test_what_was_approved_is_loaded_and_nothing_else(shop: Shop, case: str) -> None:
    shop.load()
    statement, change = CASES[case]
    shop.execute(statement)
    other = change.model_copy(update={"changes": (*change.changes, ColumnChange(**MORE_TEXT))})
    elsewhere = change.model_copy(update={"table": "u"})
    for wrong in ((), (other,), (elsewhere,)):
        shop.agreement = Agreement(approved=wrong)
        with pytest.raises(TerminalError, match="held for approval"):
            shop.load("hold")
    shop.agreement = Agreement(approved=(change,))
    shop.load("hold")
    assert shop.told[0].goes_on
    # Once it is settled, it is no news any more; and the table itself tells of what is new.
    shop.agreement = Agreement(settled=(change,) if case != "another name" else ())
    if case == "another name":
        shop.agreement = Agreement(settled=(changed("t", GONE_TEXT),))
    shop.load("refuse")
    assert shop.told == []


def test_one_change_that_nobody_approved_holds_all(shop: Shop) -> None:
    shop.load()
    shop.execute("alter table t add more text; alter table u add more text")
    shop.agreement = Agreement(approved=(changed("t", MORE_TEXT),))
    with pytest.raises(TerminalError) as held:
        shop.load("hold")
    assert "table 'u'" in held.value.message
    assert "table 't'" not in held.value.message
    assert [change.table for change in shop.changes] == ["t", "u"]
    assert shop.columns("t") == ["id", "v"]


def test_a_message_names_the_first_of_many_changes(shop: Shop) -> None:
    shop.load()
    shop.execute(f"alter table t {', '.join(f'add c{n} int' for n in range(40))}")
    with pytest.raises(TerminalError, match=r"column c4 is new \(integer\) and 35 more; nothing"):
        shop.load("hold")
    assert len(shop.changes[0].changes) == 40


def test_a_rejection_is_told_with_its_note(shop: Shop) -> None:
    shop.load()
    shop.execute("alter table t add more text")
    change = changed("t", MORE_TEXT)
    rejection = Rejection(id=7, note="ask the shop first", **change.model_dump())
    shop.agreement = Agreement(rejected=(rejection,))
    with pytest.raises(TerminalError, match=r"change 7 was rejected \(ask the shop first\)"):
        shop.load("hold")
    shop.execute("alter table t add and_another int")
    with pytest.raises(TerminalError, match="held for approval"):
        shop.load("hold")
    shop.execute("alter table t drop more, drop and_another")
    shop.load("hold")
    assert shop.told == []


def test_a_column_that_comes_back_is_new_again(shop: Shop) -> None:
    shop.load()
    shop.agreement = Agreement(settled=(changed("t", GONE_TEXT),))
    shop.load()
    assert shop.changes == [changed("t", {"kind": "column_added", "column": "v", "new": "text"})]


def test_another_type_says_what_will_happen_and_it_does(shop: Shop) -> None:
    """The table's column stays what it is: values are converted, or the load fails."""
    resources = [EVOLVE]
    shop.load(resources=resources)
    shop.execute("alter table t add n int; update t set n = 5")
    shop.load(resources=resources)
    shop.execute("alter table t alter n type text; insert into t values (2, 'b', '6')")
    with pytest.raises(
        TerminalError, match="n is text, was integer; in the table it stays integer"
    ):
        shop.load("hold", resources=resources)
    shop.load(resources=resources)
    assert shop.warehouse.execute("select n from t order by 1") == [(5,), (6,)]
    change = {"kind": "type_changed", "column": "n", "old": "integer", "new": "text"}
    shop.agreement = Agreement(settled=(changed("t", {**change, "table_type": "integer"}),))
    shop.execute("insert into t values (3, 'c', 'seven')")
    with pytest.raises(TerminalError, match="a value does not fit its column"):
        shop.load("hold", resources=resources)
    assert shop.told == []
    assert shop.warehouse.execute("select n from t order by 1") == [(5,), (6,)]


@pytest.mark.parametrize(
    "resource",
    [
        {"columns": {"v": {"name": "more"}}},
        {"columns": {"v": {"include": False}}},
        {"columns": {"v": {"mask": "drop"}}},
        {"calculated": {"more": {"expression": "id + 1", "type": "integer"}}},
        {"columns": {"id": {}}, "other_columns": "exclude"},
    ],
    ids=lambda one: str(one),
)
def test_what_somebody_configured_is_no_change_of_the_source(
    shop: Shop, resource: dict[str, Any]
) -> None:
    shop.load(resources=[EVOLVE])
    shop.load("refuse", resources=[{**EVOLVE, **resource}])
    assert shop.told == []


def test_a_table_that_somebody_named_is_no_change_of_the_source(shop: Shop) -> None:
    shop.load(resources=[EVOLVE])
    shop.load("refuse", resources=[EVOLVE, {**EVOLVE, "name": "u"}])
    shop.execute("create table w (id int)")
    shop.load("refuse", mode="full_database", table_names=("t", "u", "w"))
    assert shop.told == []


@pytest.mark.parametrize("rule", ["freeze", "discard_value", "discard_row"])
def test_contracts_have_their_say_first(shop: Shop, rule: str) -> None:
    resource = {**EVOLVE, "contract": {"columns": rule}}
    shop.load(resources=[resource])
    shop.execute("alter table t add more text")
    if rule == "freeze":
        with pytest.raises(TerminalError, match=r"contract\.columns: new are more"):
            shop.load("hold", resources=[resource])
    else:
        shop.load("hold", resources=[resource])
        assert shop.columns() == ["id", "v"]
    assert shop.told == []


@pytest.mark.parametrize("how", ["append", "merge", "scd2", "deletes"])
def test_columns_of_the_load_itself_are_no_change(shop: Shop, how: str) -> None:
    ways = {
        "append": {"write_disposition": "append", "cursor": {"column": "id"}},
        "merge": {"write_disposition": "merge", "primary_key": ["id"]},
        "scd2": {"write_disposition": "merge", "merge_strategy": "scd2"},
        "deletes": {"write_disposition": "merge", "primary_key": ["id"], "deletes": "soft"},
    }
    for _ in range(3):
        shop.load("refuse", resources=[{"name": "t", **ways[how]}])
    assert shop.told == []


def test_types_of_a_table_that_was_loaded_are_no_change(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    """Whatever types a database has: what comes a second time is what is there."""
    source = postgres_source(warehouse)
    source.execute(FIDELITY.read_text())
    told: list[FoundChanges] = []
    for epoch in (1, 2):
        made = plan(
            warehouse, source.endpoint, source_schema="source", schema_changes="refuse", **WHOLE
        )
        run(made, tmp_path / "work", {}, epoch, announce=told.append)
    assert told == []


def test_a_new_header_of_a_file_is_held(warehouse: Warehouse, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    told: list[FoundChanges] = []
    for epoch, header in enumerate(("id,v", "id,w"), start=1):
        path.write_text(f"{header}\n1,x\n")
        resource = {"name": "t", "source": "t.csv"}
        source = csv_source({"t.csv": path})
        made = plan(warehouse, source, resource, schema_changes="hold")
        if epoch == 1:
            run(made, tmp_path / "work", {"t.csv": path}, epoch, announce=told.append)
            continue
        with pytest.raises(TerminalError, match=r"column w is new \(text\), column v is gone"):
            run(made, tmp_path / "work", {"t.csv": path}, epoch, announce=told.append)
    assert len(told) == 1
    assert warehouse.count("t") == 1


def test_what_records_do_not_show_is_not_gone(warehouse: Warehouse, tmp_path: Path) -> None:
    """Of JSON the columns are the fields that records happen to have."""
    path = tmp_path / "t.json"
    told: list[FoundChanges] = []
    records = (
        '{"id": 1.5, "v": "x"}',
        '{"id": 2}',
        '{"id": 3.5, "w": true}',
    )
    for epoch, record in enumerate(records, start=1):
        path.write_text(record)
        source = csv_source({"t.json": path}).model_copy(update={"connector": "json"})
        made = plan(warehouse, source, {"name": "t", "source": "t.json"})
        run(made, tmp_path / "work", {"t.json": path}, epoch, announce=told.append)
        assert len(told) == (epoch == 3)
    new = {"kind": "column_added", "column": "w", "new": "boolean"}
    assert told[0].tables == (changed("t", new),)
