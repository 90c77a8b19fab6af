"""A masked value is found nowhere: not on disk, not at the destination, not in what is told."""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.extract_load.draft import shaped_preview
from etlfabric_core.extract_load.plan import Endpoint, LoadPlan
from etlfabric_core.extract_load.preview import preview
from etlfabric_core.extract_load.profile import profile
from etlfabric_core.extract_load.runner import run_load
from etlfabric_core.extract_load.shape.masks import masked, revealed
from etlfabric_core.graph.columns import Mask
from tests import traces
from tests.loading import Holder, Warehouse, csv_source, new_warehouse, plan, run

pytestmark = pytest.mark.feature("X12")

KEY = "11" * 32
SECRET = "canary.person-4711@example.com"
MASKED = {
    "hashed": {"mask": "hash", "functions": [{"name": "lower"}]},
    "redacted": {"mask": "redact"},
    "partial": {"mask": "partial"},
    "encrypted": {"mask": "encrypt"},
    "dropped": {"mask": "drop"},
}
# Read for calculated columns only: one says its own mask, the other is in masked ones alone.
UNSEEN = {
    "unseen": {"mask": "redact", "include": False},
    "untold": {"include": False},
}
CALCULATED = {
    "made_hash": {"expression": "unseen || untold", "type": "text", "mask": "hash"},
    "made_redacted": {"expression": "upper(redacted)", "type": "text", "mask": "redact"},
    "made_partial": {"expression": "trim(untold)", "type": "text", "mask": "partial"},
}
TEXTS = (*MASKED, *UNSEEN)
COLUMNS = {
    **MASKED,
    **UNSEEN,
    "key": {"mask": "hash"},
    "n": {"type": "integer"},
    "id": {"type": "integer"},
}
ROWS = 200
ENDS = {
    "loaded": {},
    "compared for deletes": {"primary_key": ["key"], "deletes": "soft"},
    "rejected": {"on_bad_row": "quarantine"},
    "too many are rejected": {"on_bad_row": "quarantine", "max_rejected": 10},
    "failed": {"on_bad_row": "fail"},
    "refused by the destination": {},
}
COMPLETE = ("loaded", "compared for deletes", "rejected")
GOOD = ("loaded", "compared for deletes", "refused by the destination")


def rows(end: str) -> list[tuple[str, ...]]:
    bad = end not in GOOD
    return [
        (str(n), SECRET + str(n), *([SECRET] * len(TEXTS)), "x" if bad else str(n))
        for n in range(ROWS)
    ]


@dataclass
class Origin:
    """Where the rows are: in a file, or in a table whose columns all are text."""

    endpoint: Endpoint
    source: str
    files: dict[str, Path]


@pytest.fixture(params=["csv", "postgres"])
def make_origin(request, postgres, tmp_path):
    with new_warehouse(postgres) as database:

        def make(end: str) -> Origin:
            header = ("id", "key", *TEXTS, "n")
            if request.param == "csv":
                path = tmp_path / "t.csv"
                path.write_text("\n".join(",".join(row) for row in [header, *rows(end)]) + "\n")
                return Origin(csv_source({"t.csv": path}), "t.csv", {"t.csv": path})
            database.execute(f"create table t ({', '.join(f'{name} text' for name in header)})")
            values = ", ".join(f"({', '.join(map(repr, row))})" for row in rows(end))
            database.execute(f"insert into t values {values}; grant select on t to public")
            return Origin(database.endpoint(schema=database.dataset), "t", {})

        yield make


@contextmanager
def watched(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A work directory, and a folder that keeps whatever is ever written to it."""
    work, kept = tmp_path / "work", tmp_path / "kept"
    work.mkdir()
    with traces.watched(work, kept):
        yield work, kept


def found_in(folder: Path) -> list[str]:
    """Files that hold the value, as it is or packed."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(SECRET.encode() in text.lower() for text in traces.texts_of(path))
    ]


def in_database(warehouse: Warehouse) -> bool:
    """Whether a dump of every schema of the database holds the value."""
    url = warehouse.server.url(warehouse.database)
    return any(SECRET.encode() in text.lower() for _, text in traces.rows_as_text(url))


def shown(warehouse: Warehouse) -> str:
    """What a preview and a profile of every table show."""
    endpoint = warehouse.endpoint(schema=warehouse.dataset)
    tables = ("t", "t__rejected")
    found = [table for table in tables if warehouse.execute(f"select to_regclass('{table}')")[0][0]]
    return str(
        [(preview(endpoint, {}, t, limit=1000), profile(endpoint, {}, t)) for t in found]
    ).lower()


def masked_plan(warehouse: Warehouse, origin: Origin, **resource: object) -> LoadPlan:
    spec = {
        "name": "t",
        "source": origin.source,
        "columns": COLUMNS,
        "calculated": CALCULATED,
        "write_disposition": "merge",
        "primary_key": ["id"],
        **resource,
    }
    made = plan(warehouse, origin.endpoint, spec)
    return made.model_copy(update={"mask_key": KEY})


def expected_end(end: str) -> AbstractContextManager[pytest.ExceptionInfo[FabricError] | None]:
    return nullcontext() if end in COMPLETE else pytest.raises(FabricError)


@pytest.mark.parametrize("end", ENDS)
def test_a_masked_value_is_found_nowhere(warehouse, make_origin, tmp_path, end, capfd, caplog):
    origin = make_origin(end)
    load_plan = masked_plan(warehouse, origin, **ENDS[end])
    log = warehouse.server.log_file
    logged_before = log.stat().st_size
    if end == "refused by the destination":
        warehouse.execute(
            f"create table t (id bigint primary key, hashed varchar(5)); "
            f"alter table t owner to {warehouse.role}"
        )
    told: list[object] = []
    with watched(tmp_path) as (work, kept), expected_end(end) as caught:
        for epoch in (1, 2):  # the second meets what the first has left
            result = run_load(
                load_plan,
                work_dir=work,
                files=origin.files,
                lease=Holder(epoch),
                progress=lambda *said: told.append(said),
            )
            told.append(result)
    told.append(caught and caught.value.body())
    if end in COMPLETE:
        assert len(list(kept.iterdir())) > 3  # it saw the load's files
    assert found_in(kept) == []
    assert not in_database(warehouse)
    assert SECRET not in shown(warehouse)
    resource = load_plan.config.resources[0]
    told.append(shaped_preview(origin.endpoint, origin.files, resource, limit=5))
    output = capfd.readouterr()
    server_log = log.read_text(errors="replace")[logged_before:]
    said = "".join([output.out, output.err, caplog.text, str(told), server_log])
    assert SECRET not in said.lower()
    if end in ("rejected", "loaded"):
        column = "row->>'encrypted' from t__rejected" if end == "rejected" else "encrypted from t"
        ((encrypted,),) = warehouse.execute(f"select distinct {column}")
        assert revealed(encrypted, bytes.fromhex(KEY)) == SECRET
    if end == "rejected":
        assert rejected(warehouse) == {
            "id": "0",
            "key": digest(SECRET + "0"),
            "hashed": digest(SECRET),
            "redacted": "***",
            "partial": "***.com",
            "encrypted": encrypted,
            "unseen": "***",
            "untold": "***",
            "n": "x",
        }
    if end == "loaded":
        names = "hashed, redacted, partial, made_hash, made_redacted, made_partial"
        assert warehouse.execute(f"select distinct {names} from t") == [
            (digest(SECRET), "***", "***.com", digest(SECRET + SECRET), "***", "***.com")
        ]


def rejected(warehouse: Warehouse) -> dict[str, str]:
    return dict(warehouse.execute("select row from t__rejected order by (row->>'id')::int")[0][0])


def digest(value: str) -> str:
    return hmac.new(bytes.fromhex(KEY), value.encode(), hashlib.sha256).hexdigest()


def test_the_search_would_find_a_value_that_is_not_masked(warehouse, make_origin, tmp_path):
    origin = make_origin("loaded")
    spec = {
        "name": "t",
        "source": origin.source,
        "columns": {"n": {"functions": [{"name": "trim"}]}},
    }
    with watched(tmp_path) as (work, kept):
        run(plan(warehouse, origin.endpoint, spec), work, origin.files)
    assert found_in(kept)
    assert in_database(warehouse)
    assert SECRET in shown(warehouse)


def test_the_error_of_a_bad_row_does_not_tell_its_values(warehouse, make_origin, tmp_path):
    origin = make_origin("failed")
    with pytest.raises(TerminalError, match=r"(line 2|row 1 of those read), column 'n'") as caught:
        run(masked_plan(warehouse, origin), tmp_path / "work", origin.files)
    assert SECRET not in str(caught.value.body())


def test_the_same_value_hashes_alike_in_tables_and_runs_and_differently_with_another_key(
    warehouse, make_origin, tmp_path
):
    origin = make_origin("loaded")
    first = masked_plan(warehouse, origin)
    second = masked_plan(warehouse, origin, name="u").model_copy(update={"pipeline": "two"})
    other = masked_plan(warehouse, origin, name="v").model_copy(
        update={"pipeline": "three", "mask_key": "22" * 32}
    )
    for load_plan in (first, second, other):
        run(load_plan, tmp_path / "work", origin.files)
    one, same, another = (
        warehouse.execute(f"select hashed from {name}")[0][0] for name in ("t", "u", "v")
    )
    assert one == same != another


@pytest.mark.parametrize("value", ["", "a", "\x00", "žluťoučký 🐎", "enc1:", "x" * 100_000])
def test_what_is_encrypted_can_be_had_back_with_its_key_alone(value):
    import pyarrow as pa

    key, other = bytes.fromhex(KEY), bytes.fromhex("22" * 32)
    given = pa.chunked_array([[value, None], [value, value + "!"]])
    first, missing, same, another = masked(given, Mask.ENCRYPT, key).to_pylist()
    assert missing is None
    assert first == same != another
    assert revealed(first, key) == value
    assert revealed(first, other) is None
    tampered = first[:-4] + ("AAAA" if first[-4:] != "AAAA" else "BBBB")
    assert revealed(tampered, key) is None


@pytest.mark.parametrize(
    "text", ["", "enc1:", "enc1:?", "enc1:ž", "plain", "enc1:AAAA", "enc2:AAAA"]
)
def test_what_the_mask_did_not_make_is_not_revealed(text):
    assert revealed(text, bytes.fromhex(KEY)) is None
