"""Rows of what a pipeline has loaded, wherever it loads to: its own tables, and nobody else's."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi import FastAPI

from etlfabric_core.db.scope import org_session
from etlfabric_core.services import connections, databases
from tests.api.conftest import MakeMember, TwoOrgs
from tests.api.destination_world import DUCKDB, destination_body
from tests.api.loaded_pipeline import Loaded, loaded_pipeline

TEXT = "id,name,note\n1,Ada,{long}\n2,Bo,\nx,Cy,seen\n".format(long="n" * 20_000)
CONFIG = {
    "resources": [
        {
            "name": "people",
            "source": "people.csv",
            "write_disposition": "replace",
            "columns": {"id": {"type": "integer"}, "name": {"mask": "redact"}},
            "on_bad_row": "quarantine",
        }
    ]
}


@pytest.fixture(params=["warehouse", "duckdb", "mariadb"])
async def loaded(
    request: pytest.FixtureRequest, app: FastAPI, two_orgs: TwoOrgs, tmp_path: Path
) -> AsyncIterator[Loaded]:
    body = destination_body(request)
    async with loaded_pipeline(app, two_orgs.a, tmp_path, CONFIG, body) as made:
        yield made


async def rows_of(client: Any, loaded: Loaded, table: str, **query: Any) -> Any:
    return await client.get(f"{loaded.path}/tables/{table}/rows", params=query)


@pytest.mark.feature("B10", "X6")
async def test_rows_and_rejected_rows_are_read_where_they_lie(loaded: Loaded) -> None:
    listed = f"{loaded.path}/tables"
    assert (await loaded.owner.get(listed)).json()["items"] == []
    assert (await rows_of(loaded.owner, loaded, "people")).status_code == 404
    await loaded.publish()
    assert (await rows_of(loaded.owner, loaded, "people")).status_code == 404
    await loaded.load(TEXT)
    assert (await loaded.owner.get(listed)).json()["items"] == [
        {"name": "people", "has_rejected": True}
    ]

    answer = await rows_of(loaded.owner, loaded, "people")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    names = [column["name"] for column in found["columns"]]
    ada, bo = sorted(
        (dict(zip(names, row, strict=True)) for row in found["rows"]), key=lambda row: row["id"]
    )
    assert (ada["id"], ada["note"]) == (1, "n" * 10_000 + "… (20000 characters)")
    assert (bo["id"], bo["note"], found["complete"]) == (2, None, True)
    assert "Ada" not in answer.text

    refused = await rows_of(loaded.owner, loaded, "people__rejected")
    assert refused.status_code == 200, refused.text
    names = [column["name"] for column in refused.json()["columns"]]
    (row,) = refused.json()["rows"]
    kept = dict(zip(names, row, strict=True))
    assert (kept["column"], kept["line"]) == ("id", 4)
    assert "Cy" not in refused.text

    few = (await rows_of(loaded.owner, loaded, "people", limit=1)).json()
    assert (len(few["rows"]), few["complete"]) == (1, False)
    for limit in (0, 501):
        assert (await rows_of(loaded.owner, loaded, "people", limit=limit)).status_code == 422


@pytest.mark.feature("A7", "A9", "B10")
async def test_only_what_the_pipeline_loaded_is_read_by_its_own_people(
    app: FastAPI, two_orgs: TwoOrgs, make_member: MakeMember, tmp_path: Path
) -> None:
    a, b = two_orgs.a, two_orgs.b
    async with loaded_pipeline(app, a, tmp_path, CONFIG, DUCKDB) as loaded:
        await loaded.publish()
        await loaded.load(TEXT)
        for table in ("_dlt_loads", "_dlt_pipeline_state", "_etlfabric_lease", "absent"):
            assert (await rows_of(a, loaded, table)).status_code == 404, table
        for table in ("raw.people", "people;", "..%2Fpeople", "*", "people%00"):
            assert (await rows_of(a, loaded, table)).status_code in (404, 422), table
        viewer = await make_member(a, "viewer")
        assert (await rows_of(viewer, loaded, "people")).status_code == 200
        for table in ("people", "people__rejected"):
            assert (await rows_of(b, loaded, table)).status_code == 404
        assert (await b.get(f"{loaded.path}/tables")).status_code == 404
        await the_busy_and_the_gone_are_told(app, loaded, a.org_id)


async def the_busy_and_the_gone_are_told(app: FastAPI, loaded: Loaded, org_id: int) -> None:
    wiring = app.state.wiring
    to = (await loaded.owner.get(loaded.path)).json()["destination_connection_id"]
    async with org_session(wiring.sessions, org_id) as session:
        name = databases.file_name(await connections.get(session, to))
    assert name is not None
    with duckdb.connect(str(wiring.settings.databases_dir / name)) as connection:
        connection.execute("drop table raw.people__rejected")
        busy = await rows_of(loaded.owner, loaded, "people")
    assert busy.status_code == 503, busy.text
    assert "a load is writing" in busy.json()["message"]
    gone = await rows_of(loaded.owner, loaded, "people__rejected")
    assert gone.status_code == 422, gone.text
    assert "there is no table" in gone.json()["message"]
