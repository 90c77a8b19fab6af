"""CSV files arrive as they are written, or the load says which line is wrong."""

import zipfile
from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.runner import run_load
from tests.loading import FLIGHTS_DIR, Holder, Warehouse, csv_source, plan, run

pytestmark = pytest.mark.feature("C12")


def load(warehouse: Warehouse, tmp_path: Path, text: str | bytes, *, config=None, **resource):
    """Loads one file `t.csv` and returns the rows of table `t` in file order."""
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    files = {"t.csv": path}
    source = csv_source(files, **(config or {}))
    spec = {"name": "t", "source": "t.csv", "write_disposition": "replace", **resource}
    run(plan(warehouse, source, spec, pipeline="one"), tmp_path / "work", files)
    columns = warehouse.execute(
        "select string_agg(quote_ident(column_name), ', ' order by ordinal_position) "
        "from information_schema.columns where table_schema = %s and table_name = 't' "
        "and column_name not like '\\_dlt%%'",
        [warehouse.dataset],
    )[0][0]
    return warehouse.execute(f"select {columns} from t order by ctid")


def error(warehouse: Warehouse, tmp_path: Path, text: str | bytes, **options) -> TerminalError:
    with pytest.raises(TerminalError) as caught:
        load(warehouse, tmp_path, text, **options)
    return caught.value


def typed(**types: str) -> dict[str, dict[str, str]]:
    return {name: {"type": type_} for name, type_ in types.items()}


def test_text_survives_exactly(warehouse, tmp_path):
    text = '\ufeffa,b\n"",x\n,"y\ny"\n"say ""hi""","été; \\N"\n NA ,\\.\n'
    assert load(warehouse, tmp_path, text) == [
        ("", "x"),
        (None, "y\ny"),
        ('say "hi"', "été; \\N"),
        (" NA ", "\\."),
    ]


def test_null_values_are_unquoted_words(warehouse, tmp_path):
    config = {"null_values": ["NA"]}
    assert load(warehouse, tmp_path, 'a,b\nNA,"NA"\n,x\n', config=config) == [
        (None, "NA"),
        ("", "x"),
    ]


def test_types_are_kept_without_loss(warehouse, tmp_path):
    text = (
        "i,n,b,d,t\n"
        "9223372036854775807,123456789012345678901234567890.123456789012345,true,2024-02-29,"
        "2024-05-31T10:00:00+02:00\n"
        ",,,,\n"
        "-1,1e-20,false,0001-01-01,2024-05-31 10:00:00.123456\n"
        "0,.5,1,9999-12-31,2024-05-31\n"
    )
    columns = typed(i="integer", n="number", b="boolean", d="date", t="timestamp")
    load(warehouse, tmp_path, text, columns=columns)
    rows = warehouse.execute(
        "select i::text, n::text, b, d::text, (t at time zone 'UTC')::text from t order by ctid"
    )
    assert rows == [
        (
            "9223372036854775807",
            "123456789012345678901234567890.123456789012345",
            True,
            "2024-02-29",
            "2024-05-31 08:00:00",
        ),
        (None, None, None, None, None),
        ("-1", "0.00000000000000000001", False, "0001-01-01", "2024-05-31 10:00:00.123456"),
        ("0", "0.5", True, "9999-12-31", "2024-05-31 00:00:00"),
    ]


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("integer", "1", "1.5"),
        ("number", "1.5", "1,5x"),
        ("boolean", "true", "maybe"),
        ("date", "2024-01-01", "01/02/2024"),
        ("timestamp", "2024-01-01T00:00:00Z", "yesterday"),
    ],
)
def test_a_wrong_value_names_file_line_and_column(warehouse, tmp_path, type_, good, bad):
    # The break inside quotes makes line and row number differ; the size takes several blocks.
    text = f'v,w\n{good},"two\nlines"\n' + f"{good},{'x' * 100}\n" * 100_000 + f'"{bad}",y\n'
    caught = error(warehouse, tmp_path, text, columns=typed(v=type_))
    assert "file 't.csv', line 100004, column 'v'" in caught.message
    assert bad not in caught.message


def test_a_broken_row_names_its_line(warehouse, tmp_path):
    caught = error(warehouse, tmp_path, 'a,b\n1,"x\ny"\n\n2,z\n3\n4,5\n')
    assert caught.message == "file 't.csv', line 6: 1 fields where 2 columns are expected"


def test_an_open_quote_is_not_swallowed(warehouse, tmp_path):
    caught = error(warehouse, tmp_path, 'a,b\n1,2\n3,"x\n4,5\n6,7\n')
    assert "line 3: a quote is opened and not closed" in caught.message


def test_a_lone_quote_inside_a_field_is_text(warehouse, tmp_path):
    assert load(warehouse, tmp_path, 'a,b\n6" pipe,2\n') == [('6" pipe', "2")]


def test_wrong_encoding_is_named_and_the_right_one_works(warehouse, tmp_path):
    latin = "a,b\nété,1\n".encode("latin-1")
    assert "encoding" in (error(warehouse, tmp_path, latin).hint or "")
    assert load(warehouse, tmp_path, latin, config={"encoding": "latin-1"}) == [("été", "1")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "file 't.csv' is empty"),
        (b"a,b,a\n1,2,3\n", "the name 'a' occurs twice"),
        (b"a,,c\n1,2,3\n", "column 2 has no name"),
    ],
)
def test_bad_headers(warehouse, tmp_path, text, words):
    assert words in error(warehouse, tmp_path, text).message


def test_a_header_alone_makes_an_empty_table(warehouse, tmp_path):
    assert load(warehouse, tmp_path, "a,b\n") == []


def test_without_a_header_and_with_another_delimiter(warehouse, tmp_path):
    config = {"header": False, "delimiter": ";"}
    assert load(warehouse, tmp_path, "1;2\n3;4\n", config=config) == [("1", "2"), ("3", "4")]


def test_nul_cannot_be_stored_and_says_so(warehouse, tmp_path):
    assert "NUL" in (error(warehouse, tmp_path, b"a,b\n1,x\x00y\n").hint or "")


def test_a_missing_file_and_an_unknown_column(warehouse, tmp_path):
    with pytest.raises(TerminalError, match=r"file 't\.csv' is not among the files"):
        run(plan(warehouse, csv_source({}), {"name": "t", "source": "t.csv"}), tmp_path, {})
    caught = error(warehouse, tmp_path, "a,b\n1,2\n", columns=typed(c="integer"))
    assert "'t.csv' has no column c" in caught.message
    assert caught.hint == "its columns are: a, b"


def test_a_zip_holds_exactly_one_csv(warehouse, tmp_path):
    archive = tmp_path / "t.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("readme.txt", "hello")
        zipped.writestr("in/side.csv", "a\n1\n")
    files = {"t.zip": archive}
    load_plan = plan(warehouse, csv_source(files), {"name": "t", "source": "t.zip"})
    run(load_plan, tmp_path / "work", files)
    assert warehouse.execute("select a from t") == [("1",)]
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.writestr("other.csv", "a\n2\n")
    with pytest.raises(TerminalError, match=r"holds 2 \.csv files"):
        run(load_plan, tmp_path / "work", files)


@pytest.mark.feature("C5")
def test_a_key_that_is_not_unique_is_refused(warehouse, tmp_path):
    text = "k,v\n1,a\n2,b\n1,c\n"
    caught = error(warehouse, tmp_path, text, write_disposition="merge", primary_key=["k"])
    assert "(k) is not unique: 2 rows share 1 keys" in caught.message
    caught = error(warehouse, tmp_path, text, write_disposition="merge", primary_key=["nope"])
    assert "primary_key: no column nope" in caught.message


@pytest.mark.feature("C3")
def test_full_database_takes_every_file(warehouse, tmp_path):
    files = {name: FLIGHTS_DIR / name for name in ("airlines.csv", "airports.csv", "planes.csv")}
    load_plan = plan(warehouse, csv_source(files), mode="full_database")
    for epoch in (1, 2):
        run(load_plan, tmp_path / "work", files, epoch)
    assert [warehouse.count(name) for name in ("airlines", "airports", "planes")] == [
        16,
        1458,
        3322,
    ]


def test_progress_is_told_and_every_row_has_its_load_id(warehouse, tmp_path):
    told: list[tuple[str, dict[str, int]]] = []
    files = {"weather.csv": FLIGHTS_DIR / "weather.csv"}
    load_plan = plan(warehouse, csv_source(files), {"name": "weather", "source": "weather.csv"})
    lease = Holder()
    result = run_load(
        load_plan,
        work_dir=tmp_path,
        files=files,
        lease=lease,
        progress=lambda stage, rows: told.append((stage, rows)),
    )
    final = dict(told)
    assert final == {stage: {"weather": 26115} for stage in ("extract", "normalize", "load")}
    assert warehouse.execute("select _dlt_load_id, count(*) from weather group by 1") == [
        (result.load_ids[0], 26115)
    ]
    assert lease.checks >= 3
    assert list(tmp_path.iterdir()) == []


def test_no_secret_in_any_error(warehouse, tmp_path):
    files = {"airlines.csv": FLIGHTS_DIR / "airlines.csv"}
    load_plan = plan(warehouse, csv_source(files), {"name": "airlines", "source": "airlines.csv"})
    wrong = load_plan.model_copy(update={"destination": warehouse.endpoint(password="canary-4711")})
    with pytest.raises(TerminalError, match="refused the password of user") as caught:
        run(wrong, tmp_path, files)
    assert "canary-4711" not in str(caught.value.body())
