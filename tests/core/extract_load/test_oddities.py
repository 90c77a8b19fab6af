"""What real sources hold: each oddity arrives as it is, or is refused by its line; none is changed.

Those of PostgreSQL's types are in the fidelity matrix; here they pass beside a column that is
computed, and files have theirs.
"""

from pathlib import Path
from typing import Any

import pytest

from etlfabric_core.errors import TerminalError
from tests.core.extract_load.fidelity_values import AS_TEXT, MAKE_TYPES, SAME, TEXT_ONLY
from tests.core.extract_load.test_fidelity_matrix import cells, fill, grant
from tests.loading import Warehouse, csv_source, new_warehouse, plan, run

TYPES = {
    **SAME,
    **TEXT_ONLY,
    **AS_TEXT,
    "numeric(38,9)": ["99999999999999999999999999999.999999999", "-0.000000001", "NaN", "0"],
}
MOST_COLUMNS = 1_599  # PostgreSQL has room for 1,600, and one says which load a row is from


def load(warehouse: Warehouse, tmp_path: Path, text: str | bytes, **resource: Any) -> list[Any]:
    """Loads a file as the table `t`; its rows in order."""
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    config = resource.pop("config", {})
    spec = {"name": "t", "source": "t.csv", **resource}
    files = {"t.csv": path}
    run(plan(warehouse, csv_source(files, **config), spec), tmp_path / "work", files)
    return cells_in_order(warehouse)


def cells_in_order(warehouse: Warehouse) -> list[Any]:
    names = columns(warehouse)
    written = ", ".join(f'"{name}"::text' for name in names if not name.startswith("_dlt"))
    return warehouse.execute(f"select {written} from t order by ctid")


def columns(warehouse: Warehouse) -> list[str]:
    query = (
        "select attname from pg_attribute where attrelid = 't'::regclass and attnum > 0 "
        "order by attnum"
    )
    return [name for (name,) in warehouse.execute(query)]


@pytest.mark.feature("C3")
@pytest.mark.parametrize("how", ["append", "replace", "merge"])
def test_every_type_passes_beside_a_computed_and_a_masked_column(
    postgres, warehouse, tmp_path, how
):
    with new_warehouse(postgres) as source:
        source.execute(MAKE_TYPES)
        fill(source, "odd", TYPES)
        source.execute("alter table odd add who text default 'Ada'; update odd set who = who")
        grant(source)
        resource = {
            "name": "odd",
            "write_disposition": how,
            "columns": {"who": {"mask": "redact"}},
            "calculated": {"twice": {"expression": "id * 2", "type": "integer"}},
            **({"primary_key": ["id"]} if how == "merge" else {}),
        }
        endpoint = source.endpoint(schema=source.dataset)
        run(plan(warehouse, endpoint, resource), tmp_path / "work", {})
        given = cells(source, "odd")
    arrived = cells(warehouse, "odd")
    expected = [(*row[:-1], "***", str(2 * int(row[0]))) for row in given]
    changed = [
        (list(TYPES)[place - 1], was, now)
        for before, after in zip(expected, arrived, strict=True)
        for place, (was, now) in enumerate(zip(before, after, strict=True))
        if was != now
    ]
    assert changed == []


@pytest.mark.feature("C3")
def test_names_of_columns_in_a_file(warehouse, tmp_path):
    header = '"select","My Col","say ""hi""","größe","%s {}","🦆 id"'
    assert load(warehouse, tmp_path, f"{header}\n1,2,3,4,5,6\n") == [("1", "2", "3", "4", "5", "6")]


def test_names_that_would_become_one_are_refused(warehouse, tmp_path):
    with pytest.raises(TerminalError, match="several columns are named 'my_col'"):
        load(warehouse, tmp_path, "My Col,my_col\n1,2\n")


@pytest.mark.feature("C3")
def test_as_many_columns_as_a_table_can_have(warehouse, tmp_path):
    names = [f"c{place}" for place in range(MOST_COLUMNS)]
    values = [str(place) for place in range(MOST_COLUMNS)]
    text = f"{','.join(names)}\n{','.join(values)}\n"
    shaped = {"c7": {"type": "integer"}, "c8": {"functions": [{"name": "trim"}]}}
    assert load(warehouse, tmp_path, text, columns=shaped) == [tuple(values)]


@pytest.mark.feature("D5")
def test_decimal_commas(warehouse, tmp_path):
    """They are numbers when somebody says how, and never read as thousands."""
    text = 'id;n\n1;1,5\n2;1.5\n3;-0,25\n4;\n5;"1.234,5"\n'
    config = {"delimiter": ";"}
    plain: dict[str, Any] = {"n": {"type": "number"}}
    with pytest.raises(TerminalError, match="line 2, column 'n': not a number"):
        load(warehouse, tmp_path, text, config=config, columns=plain)
    told = {"n": {"type": "number", "functions": [{"name": "replace", "arguments": [",", "."]}]}}
    quarantine = {"on_bad_row": "quarantine", "columns": told}
    found = load(warehouse, tmp_path, text, config=config, **quarantine)
    assert found == [("1", "1.5"), ("2", "1.5"), ("3", "-0.25"), ("4", None)]
    kept = warehouse.execute("select line, row from t__rejected")
    assert kept == [(6, {"id": "5", "n": "1.234,5"})]


TIMES = [  # written, what PostgreSQL then says in UTC; None: refused
    ("1899-12-31 23:59:59.999999", "1899-12-31 23:59:59.999999+00"),
    ("0001-01-01", "0001-01-01 00:00:00+00"),
    ("1582-10-10T00:00:00Z", "1582-10-10 00:00:00+00"),
    ("9999-12-31T23:59:59.999999-12:00", "10000-01-01 11:59:59.999999+00"),
    ("10000-01-01 00:00:00", "10000-01-01 00:00:00+00"),
    ("2024-03-10 02:30:00+05:30", "2024-03-09 21:00:00+00"),
    ("2024-02-29T12:00Z", "2024-02-29 12:00:00+00"),
    ("2023-02-29", None),
    ("2024-01-01 00:00:00.1234567", None),
    ("infinity", None),
    ("31.12.2024", None),
]


@pytest.mark.feature("D5")
def test_times_of_all_ages(warehouse, tmp_path):
    text = "t\n" + "".join(f"{written}\n" for written, _ in TIMES)
    typed = {"columns": {"t": {"type": "timestamp"}}, "on_bad_row": "quarantine"}
    found = load(warehouse, tmp_path, text, **typed)
    assert found == [(said,) for _, said in TIMES if said]
    kept = warehouse.execute("select row->>'t' from t__rejected order by line")
    assert kept == [(written,) for written, said in TIMES if said is None]


TEXTS = {
    "NA and nothing": ("a,b\nNA,\n,x\n", {"null_values": ["NA", ""]}, [(None, None), (None, "x")]),
    "NA in quotes": ('a,b\n"NA",""\n', {"null_values": ["NA", ""]}, [("NA", "")]),
    "a BOM and breaks in quotes": ('\ufeffa,b\n"1\r\n2",3\r\n', {}, [("1\r\n2", "3")]),
    "latin-1": ("a,b\nÀ la «carte»,ÿ\n".encode("latin-1"), {"encoding": "latin-1"}, None),
    "emoji and other scripts": ("a,b\n👩‍👩‍👧‍👦 🇪🇺,‏שלום 漢字 é\n", {}, None),
}


@pytest.mark.feature("C3")
@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("path", ["as it is", "shaped"])
def test_texts_of_files(warehouse, tmp_path, case, path):
    text, config, expected = TEXTS[case]
    if expected is None:
        written = text if isinstance(text, str) else text.decode("latin-1")
        expected = [tuple(written.splitlines()[1].split(","))]
    shaped = {"calculated": {"c": {"expression": "a || b", "type": "text"}}}
    found = load(warehouse, tmp_path, text, config=config, **(shaped if path == "shaped" else {}))
    if path == "shaped":
        joined = [None if None in row else row[0] + row[1] for row in expected]
        expected = [(*row, both) for row, both in zip(expected, joined, strict=True)]
    assert found == expected
