"""What an inspection says of a CSV file: encoding, dialect, types, statistics, and errors."""

import gzip
import random
from pathlib import Path

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.inspection import Inspection, inspect
from etlfabric_core.extract_load.inspection.columns import ColumnFound
from etlfabric_core.extract_load.inspection.dialect import Given
from etlfabric_core.files import unpacked
from etlfabric_core.graph.columns import ColumnType

pytestmark = pytest.mark.feature("D3")
NOTHING = Given()
RUSSIAN = "город,имя\n" + "Москва,Владимир\nКазань,Наталья\n" * 20  # noqa: RUF001


def inspected(tmp_path: Path, content: str | bytes, given: Given = NOTHING) -> Inspection:
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return inspect(path, "t.csv", given)


def column(tmp_path: Path, *values: str) -> ColumnFound:
    return inspected(
        tmp_path, "\n".join(["v,w", *(f"{value},x" for value in values)]) + "\n"
    ).columns[0]


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-2", "+3"], "integer"),
        (["1", "2.50", "1e3"], "number"),
        (["9223372036854775808", "1"], "number"),
        (["007", "123"], "text"),
        (["0", "0.5", "10"], "number"),
        (["true", "false", "yes"], "boolean"),
        (["0", "1", "1"], "integer"),
        (["2024-02-29", "1850-01-01"], "date"),
        (["2024-02-29", "2024-02-29T10:00:00Z"], "timestamp"),
        (["2024-02-30", "2024-13-01"], "text"),
        (["", ""], "text"),
        (["NA", "-"], "text"),
        (["1", "a", "b"], "text"),
    ],
)
def test_types_follow_from_all_values(tmp_path: Path, values: list[str], type_: str) -> None:
    assert column(tmp_path, *values).type == type_


def test_null_words_and_decimal_commas_become_functions(tmp_path: Path) -> None:
    found = column(tmp_path, "1", "NA", "3", "N/A")
    assert found.type is ColumnType.INTEGER
    assert [(one.name, one.arguments) for one in found.functions] == [
        ("nullif", ("N/A",)),
        ("nullif", ("NA",)),
    ]
    quoted = column(tmp_path, '"1.234,50"', '"7,5"', "3")
    assert quoted.type is ColumnType.NUMBER
    assert [one.arguments for one in quoted.functions] == [(".", ""), (",", ".")]
    assert (quoted.least, quoted.greatest) == ("3", "1234.50")
    assert column(tmp_path, '"1,234"', '"5,678"').type is ColumnType.TEXT  # thousands, maybe


def test_what_does_not_fit_is_told_with_its_line(tmp_path: Path) -> None:
    values = [*map(str, range(30)), '"two\nlines"', "x", "x", *map(str, range(30))]
    found = column(tmp_path, *values)
    assert (found.type, found.misfits) == (ColumnType.INTEGER, 3)
    assert [(one.value, one.line) for one in found.first_misfits] == [("two\nlines", 33), ("x", 34)]
    assert found.evidence == "60 of 63 values are integers"


def test_statistics_are_of_the_whole_file(tmp_path: Path) -> None:
    rows = [f"{n},{n % 7},{'' if n % 10 == 0 else 'é' * (n % 50 + 1)}" for n in range(300_000)]
    random.Random(1).shuffle(rows)
    found = inspected(tmp_path, "id,few,text\n" + "\n".join(rows))
    ids, few, text = found.columns
    assert (found.rows, found.complete) == (300_000, True)
    assert (ids.least, ids.greatest, ids.nulls) == ("0", "299999", 0)
    assert not ids.distinct_is_exact
    assert ids.distinct == pytest.approx(300_000, rel=0.12)
    assert (few.distinct, few.distinct_is_exact) == (7, True)
    assert (text.nulls, text.longest, text.type) == (30_000, 50, "text")
    assert len(few.examples) == 5


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b;c\n1,2;3\n", ","),
        ("a;b\n1,5;2,5\n1,6;2\n", ";"),
        ("a\tb\n1\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a\n1\n2\n", ","),
        ('a;b\n"x;y";1\n', ";"),
    ],
)
def test_the_delimiter_is_found(tmp_path: Path, text: str, delimiter: str) -> None:
    assert inspected(tmp_path, text).dialect.delimiter == delimiter


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"a,b\n1,x\n", "utf-8"),
        ("a,b\n1,Zürich 🚀\n".encode(), "utf-8"),
        ("a,b\n1,Zürich\n".encode("utf-8-sig"), "utf-8"),
        ("a,b\n1,Zürich\n".encode("utf-16"), "utf-16"),
        ("a,b\n1,Zurich\n".encode("utf-16-le"), "utf-16-le"),
        ("ville,nom\n" + "Besançon,Hélène\nNîmes,François\n" * 20, "cp1252"),
        (RUSSIAN, "cp1251"),
    ],
)
def test_the_encoding_is_found(tmp_path: Path, content: bytes | str, encoding: str) -> None:
    raw = content.encode(encoding) if isinstance(content, str) else content
    found = inspected(tmp_path, raw)
    assert found.dialect.encoding == encoding
    assert found.columns[0].name in ("a", "ville", RUSSIAN[:5])
    assert found.reasons[0].evidence


def test_a_file_without_a_header(tmp_path: Path) -> None:
    found = inspected(tmp_path, "1,Ada\n2,Grace\n")
    assert not found.dialect.header
    assert [one.name for one in found.columns] == ["column_1", "column_2"]
    assert found.rows == 2
    given = inspected(tmp_path, "1,Ada\n2,Grace\n", Given(header=True))
    assert [one.name for one in given.columns] == ["1", "Ada"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,2\n1,2,3\n", "line 3"),
        (b"a,a\n1,2\n", "occurs twice"),
        (b"a,b\n1,\x00\n", "line 2: a NUL character"),
        (b"", "is empty"),
        (b'a,b\n1,"2\n', "line 2: a quote is opened"),
    ],
)
def test_a_broken_file_says_where(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(TerminalError, match=words):
        inspected(tmp_path, content)
    with pytest.raises(TerminalError, match="unknown"):
        inspected(tmp_path, "a\n1\n", Given(encoding="klingon"))


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some kilobytes that would be megabytes: refused before they are all unpacked."""
    monkeypatch.setattr(unpacked, "SMALL_BYTES", 1 << 20)
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * (1 << 20))
    with pytest.raises(TerminalError, match="more than 200 times its size"):
        inspected(tmp_path, bomb)


def test_when_the_time_is_over_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 10)
    found = inspect(path, "t.csv", NOTHING, budget_s=-1)
    assert (found.rows, found.complete) == (0, False)
