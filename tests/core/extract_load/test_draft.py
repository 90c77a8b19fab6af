"""A draft of a resource over the first rows of its table: before, after, rejected, the table."""

from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.definition import differences
from etlfabric_core.extract_load.draft import HIDDEN, DraftPreview, shaped_preview
from etlfabric_core.graph.resources import ResourceConfig
from tests.loading import Warehouse, csv_source, plan, run

TEXT = 'id,Full Name,price,mail\n1, ada ,10.50,a@x.org\n2,"gr\nace",x,g@x.org\n3,,7,e@x.org\n'
MAPPED = {
    "name": "people",
    "source": "people.csv",
    "write_disposition": "replace",
    "columns": {
        "id": {"type": "integer"},
        "Full Name": {
            "name": "name",
            "functions": [{"name": "trim"}, {"name": "upper"}],
            "default": "NOBODY",
        },
        "price": {"type": "number"},
        "mail": {"mask": "redact"},
    },
    "calculated": {"double_price": {"expression": "price * 2", "type": "number"}},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(TEXT)
    return path


def preview(file: Path, limit: int = 20, **config: object) -> DraftPreview:
    resource = ResourceConfig.model_validate({**MAPPED, **config})
    files = {"people.csv": file}
    return shaped_preview(csv_source(files), files, resource, limit=limit)


@pytest.mark.feature("D4", "D5", "D6", "D7")
def test_rows_are_shown_before_and_after(file: Path) -> None:
    found = preview(file)
    assert [column.name for column in found.before] == ["id", "Full Name", "price", "mail"]
    names = [column.name for column in found.after]
    assert names == ["id", "name", "price", "mail", "double_price"]
    assert found.rows[0].before == ["1", " ada ", "10.50", HIDDEN]
    after = found.rows[0].after
    assert after is not None
    assert after[:3] == [1, "ADA", "10.50"]
    assert float(after[4]) == 21
    assert after[3] != "a@x.org"
    assert found.rows[2].after[1] == "NOBODY"
    assert found.complete


def test_a_row_that_would_be_rejected_says_why_and_where(file: Path) -> None:
    found = preview(file)
    assert found.rows[1].after is None
    why = found.rows[1].rejected
    assert (why.column, why.file, why.line) == ("price", "people.csv", 4)
    assert "number" in why.reason
    assert [row.rejected for row in (found.rows[0], found.rows[2])] == [None, None]


def test_a_masked_value_is_nowhere_in_a_preview(file: Path) -> None:
    for mask in ("redact", "hash", "partial", "drop"):
        columns = {**MAPPED["columns"], "mail": {"mask": mask}}
        assert "@x.org" not in repr(preview(file, columns=columns))


def test_filters_choose_the_rows(file: Path) -> None:
    found = preview(file, filters=[{"column": "id", "op": "gte", "value": 3}])
    assert [row.before[0] for row in found.rows] == ["3"]
    assert not preview(file, limit=1).complete
    assert len(preview(file, limit=1).rows) == 1


def test_what_does_not_fit_is_named(file: Path) -> None:
    with pytest.raises(TerminalError, match=r"no column gone"):
        preview(file, columns={"gone": {"type": "integer"}}, calculated={})
    wrong = {"x": {"expression": "price +\n nothing", "type": "number"}}
    with pytest.raises(TerminalError, match=r"calculated\.x: line 2, column \d"):
        preview(file, calculated=wrong)


@pytest.mark.feature("D8")
def test_the_definition_is_the_table_that_a_load_makes(
    warehouse: Warehouse, file: Path, tmp_path: Path
) -> None:
    file.write_text(TEXT.replace(",x,", ",8,"))
    columns = {
        **MAPPED["columns"],
        "id": {"type": "integer", "name": "Order Id"},
    }
    calculated = {
        "known": {"expression": "price > 3", "type": "boolean"},
        "day": {"expression": "cast('2024-01-02' as date)", "type": "date"},
        "moment": {"expression": "cast('2024-01-02' as timestamp)", "type": "timestamp"},
    }
    found = preview(file, columns=columns, calculated=calculated)
    spec = {**MAPPED, "columns": columns, "calculated": calculated}
    files = {"people.csv": file}
    run(plan(warehouse, csv_source(files), spec), tmp_path / "work", files)
    query = (
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = 'demo_raw' and table_name = %s order by ordinal_position"
    )
    loaded = warehouse.execute(query, ["people"])
    warehouse.execute(found.definition.replace('"people"', '"proposed"', 1))
    assert warehouse.execute(query, ["proposed"]) == loaded
    existing = {name: type_ for name, type_, _ in loaded}
    assert differences(found.columns, existing) == []


@pytest.mark.feature("D8")
def test_an_existing_table_is_compared(file: Path) -> None:
    proposed = preview(file).columns
    existing = {**proposed, "price": "bigint", "old": "text", "_dlt_load_id": "text"}
    del existing["name"]
    found = {(one.column, one.what) for one in differences(proposed, existing)}
    assert found == {("name", "new"), ("price", "other_type"), ("old", "missing")}
