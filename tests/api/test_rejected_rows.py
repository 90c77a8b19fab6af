"""Rejected rows over the API: found again by file, column, reason and run; the own ones only."""

import csv
import io
from typing import Any

import pytest

from etlfabric_core.db.scope import org_session
from etlfabric_core.models import TaskResult
from tests.api.warehouse_world import Wall

REJECTED = "/api/v1/tables/raw/people/rejected"
QUARANTINE = """
CREATE TABLE {a}_raw.people__rejected AS
SELECT lpad(n::text, 32, '0') || CASE WHEN n = 5 THEN '-2' ELSE '' END AS id,
       timestamptz '2026-01-01 10:00+00' AS rejected_at,
       CASE WHEN n % 2 = 0 THEN 'age' ELSE 'born' END AS "column",
       CASE WHEN n % 2 = 0 THEN 'not an integer' ELSE 'not a date' END AS reason,
       CASE WHEN n > 5 THEN 'b.csv' ELSE 'a.csv' END AS file, (100 - n)::bigint AS line,
       jsonb_build_object('age', '=1+1', 'born', n::text) AS row,
       CASE WHEN n = 1 THEN '11.1' ELSE '22.2' END AS _dlt_load_id
FROM generate_series(1, 7) AS n
"""


@pytest.fixture
async def quarantine(wall: Wall) -> Wall:
    await wall.plant(QUARANTINE)
    async with org_session(wall.wiring.sessions, wall.a.org_id) as session:
        report = {"dag_id": f"{wall.a.slug}.main", "run_id": "first", "node": "people"}
        load = {"load_ids": ["11.1"], "tables": []}
        row = TaskResult(org_id=wall.a.org_id, try_number=1, outcome="success", load=load, **report)
        session.add(row)
    return wall


async def rows(wall: Wall, **query: Any) -> list[dict[str, Any]]:
    """All of them, three at a time."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = {"limit": 3, **query} | ({"cursor": cursor} if cursor else {})
        answer = await wall.a.get(REJECTED, params=asked)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_they_come_in_pages_by_file_and_line(quarantine: Wall) -> None:
    found = await rows(quarantine)
    places = [(row["file"], row["line"]) for row in found]
    assert places == sorted(places)
    assert len(found) == len({row["id"] for row in found}) == 7
    assert (found[0]["column"], found[0]["value"], found[0]["is_cut"]) == ("born", "5", False)
    assert found[0]["row"] == '{"age": "=1+1", "born": "5"}'


async def test_they_are_told_apart_by_column_reason_and_run(quarantine: Wall) -> None:
    assert {row["column"] for row in await rows(quarantine, column="age")} == {"age"}
    assert len(await rows(quarantine, reason="not a date")) == 4
    assert await rows(quarantine, column="age", reason="not a date") == []
    of_run = await rows(quarantine, run_id="first")
    assert [(row["line"], row["run_id"]) for row in of_run] == [(99, "first")]
    assert of_run[0]["dag_id"] == f"{quarantine.a.slug}.main"
    assert await rows(quarantine, run_id="absent") == []
    reasons = (await quarantine.a.get(f"{REJECTED}/reasons")).json()["items"]
    assert [(one["column"], one["rows"]) for one in reasons] == [("born", 4), ("age", 3)]


async def test_the_file_holds_all_of_them_and_no_formula(quarantine: Wall) -> None:
    await quarantine.plant(
        "INSERT INTO {a}_raw.people__rejected SELECT n::text, now(), '=evil', 'new', 'c.csv', n,"
        " jsonb_build_object('n', n), '22.2' FROM generate_series(1, 1200) AS n"
    )
    answer = await quarantine.a.get(f"{REJECTED}.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(lines) == 1207
    assert {line["run_id"] for line in lines} == {"", "first"}
    assert {line["column"] for line in lines} == {"age", "born", "'=evil"}
    some = await quarantine.a.get(f"{REJECTED}.csv", params={"run_id": "first"})
    assert len(list(csv.DictReader(io.StringIO(some.text)))) == 1


async def test_a_page_that_begins_at_a_row_that_is_gone_says_so(quarantine: Wall) -> None:
    first = (await quarantine.a.get(REJECTED, params={"limit": 2})).json()["next_cursor"]
    await quarantine.plant(f"DELETE FROM {{a}}_raw.people__rejected WHERE id = '{first}'")
    answer = await quarantine.a.get(REJECTED, params={"limit": 2, "cursor": first})
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == "cursor"


@pytest.mark.feature("A19")
async def test_those_of_others_and_of_no_load_do_not_exist(quarantine: Wall) -> None:
    a, b = quarantine.a, quarantine.b
    for path in ("raw/absent", f"{b.slug}_raw/people", "raw_staging/people"):
        for question in ("rejected", "rejected/reasons", "rejected.csv"):
            answer = await a.get(f"/api/v1/tables/{path}/{question}")
            assert answer.status_code == 404, (path, question)
    for question in ("", "/reasons", ".csv"):
        assert (await b.get(f"{REJECTED}{question}")).status_code == 404


async def test_a_table_of_that_name_that_no_load_made_is_refused(wall: Wall) -> None:
    await wall.plant("CREATE TABLE {a}_raw.people__rejected AS SELECT 'x' AS id, 1 AS line")
    for question in ("", "/reasons", ".csv"):
        assert (await wall.a.get(f"{REJECTED}{question}")).status_code == 422
    await wall.plant("DROP TABLE {a}_raw.people__rejected")
    await wall.plant(QUARANTINE)
    await wall.plant(
        "ALTER TABLE {a}_raw.people__rejected ALTER rejected_at TYPE text USING 'some day'"
    )
    assert (await wall.a.get(REJECTED)).status_code == 422
    await wall.plant(
        "ALTER TABLE {a}_raw.people__rejected ALTER rejected_at TYPE text USING '12345-01-01'"
    )
    assert (await wall.a.get(REJECTED)).status_code == 422


async def test_a_huge_row_is_cut_where_it_is(wall: Wall) -> None:
    await wall.plant(QUARANTINE)
    await wall.plant(
        "UPDATE {a}_raw.people__rejected SET row = jsonb_build_object('age', repeat('x', 2000000))"
    )
    found = (await wall.a.get(REJECTED, params={"column": "age"})).json()["items"]
    assert {(len(row["row"]), len(row["value"]), row["is_cut"]) for row in found} == {
        (10_000, 10_000, True)
    }
