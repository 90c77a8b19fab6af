"""A masked value is found nowhere, whether its load goes well or fails on its row."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from tests.e2e.running import Account, Stack
from tests.e2e.searching import everything, places_of
from tests.e2e.sources import Source, execute
from tests.traces import texts_of, watched

pytestmark = [pytest.mark.stack]

CANARY = "canary-person-4711-Qz"
SEEN = "everybody-may-see-this-8812"  # shows that the search finds what is not masked
MASKS = ("hash", "redact", "partial", "encrypt", "drop")
MASKED = {f"in_{mask}": {"mask": mask} for mask in MASKS}
# The values that do not fit are the canaries themselves.
MISFITS = {"number": {"type": "integer", "mask": "redact"}, "day": {"type": "date", "mask": "hash"}}
COLUMNS = {**MASKED, "number": {"mask": "redact"}, "day": {"mask": "hash"}}
TYPED = {**MASKED, **MISFITS}
ROWS = 50
RESOURCES: dict[str, list[dict[str, Any]]] = {
    "good": [
        {"name": "loaded", "columns": COLUMNS},
        {"name": "kept", "columns": TYPED, "on_bad_row": "quarantine"},
        {"name": "widened", "columns": COLUMNS, "contract": {"columns": "discard_row"}},
    ],
    "cast": [{"name": "cast", "columns": TYPED}],
    "crowded": [
        {"name": "crowded", "columns": TYPED, "on_bad_row": "quarantine", "max_rejected": 3}
    ],
    "frozen": [{"name": "frozen", "columns": COLUMNS, "contract": {"data_type": "freeze"}}],
    "refused": [{"name": "refused", "columns": COLUMNS}],
}
# What somebody did to the tables between the two runs, so that rows do not fit any more.
ALTERED = (
    "alter table {schema}.frozen alter in_partial type integer using 0",
    "alter table {schema}.refused add constraint short check (length(in_hash) < 5) not valid",
)
FAILING = {
    "cast": ("row 1 of those read", "column 'number'", "not an integer"),
    "crowded": ("more than 3 rows are rejected", "number"),
    "frozen": ("in_partial", "contract"),
    "refused": ("violates check constraint", "table refused"),
}


@dataclass(frozen=True)
class Clinic:
    """An organization with a table full of canaries, and pipelines that load it."""

    stack: Stack
    owner: Account
    source: Source
    connection: dict[str, Any]
    lake: dict[str, Any]

    @property
    def schema(self) -> str:
        return f"{self.owner.slug}_raw"

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """In the warehouse."""
        named = [statement.format(schema=self.schema) for statement in statements]
        return execute(self.stack.superuser_url("warehouse"), *named)


@pytest.fixture
def clinic(stack: Stack) -> Clinic:
    source = Source.create(stack, "clinicsource")
    names = (*MASKED, *MISFITS)
    values = ", ".join(f"'{CANARY}-{name}-' || n || '@example.com'" for name in names)
    columns = ", ".join(f"{name} text" for name in names)
    source.execute(
        f"create table people (id int primary key, seen text, {columns})",
        f"insert into people select n, '{SEEN}', {values} from generate_series(1, {ROWS}) n",
    )
    owner = stack.sign_up("clinic")
    connection = source.connect(owner)
    kept = {"name": "Lake", "connector": "duckdb", "config": {}, "direction": "both"}
    lake = owner.post("/connections", kept)
    for slug, resources in RESOURCES.items():
        owner.pipeline(slug, connection, *map(merged, resources), retries=0)
    in_lake = merged({"name": "in_lake", "columns": TYPED, "on_bad_row": "quarantine"})
    owner.pipeline("lake", connection, in_lake, retries=0, destination_connection_id=lake["id"])
    owner.publish()
    return Clinic(stack, owner, source, connection, lake)


def merged(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource as a merge of the source's one table, so that it can be loaded again."""
    how = {"write_disposition": "merge", "primary_key": ["id"], "max_rejected": 1000}
    return {**how, "source": "people", **resource}


@pytest.mark.feature("X12", "X6", "A15", "C12")
def test_a_masked_value_is_found_nowhere(clinic: Clinic, tmp_path: Path) -> None:
    owner = clinic.owner
    with watched(clinic.stack.layout.var / "work", tmp_path / "kept", seconds=0.02):
        first = owner.start("good", "frozen", "refused")
        assert owner.finished(first)["state"] == "success"
        clinic.execute(*ALTERED)
        clinic.source.execute(f"alter table people add extra text default '{SEEN}'")
        second = owner.start()
        ended = owner.finished(second, seconds=400)
    outcomes = {one["node"]: one["outcome"] for one in ended["results"]}
    assert outcomes == {**dict.fromkeys(FAILING, "failed"), "good": "success", "lake": "success"}
    for node, words in FAILING.items():
        (told,) = [one["error"]["message"] for one in ended["results"] if one["node"] == node]
        assert all(word in told for word in words), told
    require_rules(clinic)
    require_no_xcom(clinic)

    places = [
        *everything(clinic.stack, owner, (first, second)),
        *shown(clinic),
        *lake(clinic),
        *(
            (f"kept {path.name}", text)
            for path in (tmp_path / "kept").iterdir()
            for text in texts_of(path)
        ),
    ]
    assert not places_of(places, CANARY)
    found = " ".join(places_of(places, SEEN))
    for place in (
        f"{clinic.schema}.loaded",
        f"{clinic.schema}.kept__rejected",
        "kept ",
        "rows",
        "draft",
        "rejected.csv",
        "lake: in_lake",
        "preview",
    ):
        assert place in found, f"the search sees nothing in '{place}'"


def require_rules(clinic: Clinic) -> None:
    """Tables and rejected rows hold what each mask says, and nothing else."""
    loaded = clinic.execute("select in_redact, in_partial, in_hash from {schema}.loaded")
    assert {row[:2] for row in loaded} == {("***", "***.com")}
    assert len({row[2] for row in loaded}) == ROWS
    assert clinic.execute("select count(*) from {schema}.kept") == [(0,)]
    rejected = {
        table: [row for (row,) in clinic.execute(f"select row from {{schema}}.{table}__rejected")]
        for table in ("kept", "widened")
    }
    for rows in rejected.values():
        assert {row["id"] for row in rows} == set(range(1, ROWS + 1))
    for row in (every := [row for rows in rejected.values() for row in rows]):
        assert row.keys() - {"extra"} == {"id", "seen", *MASKED, *MISFITS} - {"in_drop"}
        assert (row["in_redact"], row["in_partial"], row["seen"]) == ("***", "***.com", SEEN)
        assert len(row["in_hash"]) == 64
    assert {(row["number"], row["day"]) for row in rejected["kept"]} == {(None, None)}, "no misfit"
    assert {row["number"] for row in rejected["widened"]} == {"***"}
    texts = sorted({row["in_encrypt"] for row in every})
    revealed = clinic.owner.post("/tables/reveal", {"values": texts})["values"]
    wanted = {f"{CANARY}-in_encrypt-{n}@example.com" for n in range(1, ROWS + 1)}
    assert set(revealed) == wanted, "administrators alone have the key, and the audit log says so"


def require_no_xcom(clinic: Clinic) -> None:
    """Tasks hand nothing on through Airflow's database."""
    with psycopg.connect(clinic.stack.superuser_url("airflow")) as connection:
        query = "select task_id, key from xcom where dag_id like %s"
        assert connection.execute(query, [f"{clinic.owner.slug}.%"]).fetchall() == []


def shown(clinic: Clinic) -> Iterator[tuple[str, bytes]]:
    """What the service answers about tables, rejected rows and what would be loaded."""
    http = clinic.owner.http
    tables = [one["name"] for one in clinic.owner.get("/tables")["items"]]
    for table in tables:
        for part in ("rows", "rejected", "rejected/reasons", "rejected.csv"):
            yield f"{table}/{part}", http.get(f"/tables/raw/{table}/{part}").content
    for pipeline in clinic.owner.get("/pipelines")["items"]:
        for part in ("state", "rejected"):
            path = f"/pipelines/{pipeline['id']}/{part}"
            yield path, http.get(path).content
    for columns in (COLUMNS, TYPED):
        resource = merged({"name": "new", "columns": columns})
        path = f"/connections/{clinic.connection['id']}/draft"
        answer = http.post(path, json={"resource": resource, "limit": 20})
        assert answer.is_success, answer.text
        yield "draft", answer.content
    path = f"/connections/{clinic.lake['id']}"
    for table in ("raw.in_lake", "raw.in_lake__rejected"):
        for part in ("preview", "profile"):
            answer = http.post(f"{path}/{part}", json={"table": table})
            assert answer.is_success, answer.text
            yield part, answer.content


def lake(clinic: Clinic) -> Iterator[tuple[str, bytes]]:
    """Every table of the database that the platform keeps."""
    (file,) = (clinic.stack.layout.var / "databases").glob(f"*/{clinic.lake['id']}.duckdb")
    with duckdb.connect(str(file), read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
        for schema, name in names:
            rows = connection.execute(f'select * from "{schema}"."{name}"').fetchall()
            yield f"lake: {name}", json.dumps(rows, default=str).encode()
