"""The state of a pipeline through the public routes, with real loads into the managed warehouse."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.conftest import MakeMember, TwoOrgs
from tests.api.destination_world import destination_body
from tests.api.loaded_pipeline import Loaded, loaded_pipeline
from tests.api.test_workflow_graph import API

CONFIG = {
    "resources": [
        {
            "name": name,
            "source": "people.csv",
            "write_disposition": "merge",
            "primary_key": ["id"],
            "cursor": {"column": "id"},
            "columns": {"id": {"type": "integer"}},
        }
        for name in ("people", "copies")
    ]
    + [{"name": "whole", "source": "people.csv", "write_disposition": "replace"}]
}


def file_of(rows: int) -> str:
    """That many of them, as a file."""
    return "id,name\n" + "".join(f"{n},name {n}\n" for n in range(rows))


async def loaded_tables(loaded: Loaded, rows: int) -> dict[str, int]:
    """Rows by table of a load of that many people."""
    return {table.table: table.loaded for table in (await loaded.load(file_of(rows))).tables}


async def state_of(loaded: Loaded) -> dict[str, Any]:
    answer = await loaded.owner.get(f"{loaded.path}/state")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture
async def loaded(app: FastAPI, two_orgs: TwoOrgs, tmp_path: Path) -> AsyncIterator[Loaded]:
    async with loaded_pipeline(app, two_orgs.a, tmp_path, CONFIG) as made:
        assert (await state_of(made))["published"] is False
        await made.publish()
        yield made


@pytest.fixture(params=["warehouse", "duckdb", "mariadb"])
async def anywhere(
    request: pytest.FixtureRequest, app: FastAPI, two_orgs: TwoOrgs, tmp_path: Path
) -> AsyncIterator[Loaded]:
    body = destination_body(request)
    async with loaded_pipeline(app, two_orgs.a, tmp_path, CONFIG, body) as made:
        await made.publish()
        yield made


@pytest.mark.feature("X4", "A15")
async def test_state_is_shown_changed_and_audited(anywhere: Loaded) -> None:
    loaded = anywhere
    before = await state_of(loaded)
    assert (before["published"], before["history"]) == (True, [])
    refused = await loaded.owner.post(f"{loaded.path}/state/reset", json={"resource": "people"})
    assert refused.status_code == 409
    assert "no state yet" in refused.json()["message"]

    await loaded.load(file_of(3))
    await loaded.load(file_of(5))
    state = await state_of(loaded)
    people, _, whole = state["resources"]
    assert people["position"] == {
        "resource": "people",
        "column": "id",
        "type": "integer",
        "text": "4",
    }
    assert (whole["follows"], whole["position"]) == (False, None)
    assert [version["run"]["run_id"] for version in state["history"]] == ["manual__2", "manual__1"]

    first = state["history"][1]["load_id"]
    owner, path = loaded.owner, f"{loaded.path}/state"
    restored = await owner.post(f"{path}/restore", json={"load_id": first, "resource": "people"})
    assert restored.status_code == 200, restored.text
    # The boundary, 2, is read again.
    assert await loaded_tables(loaded, 5) == {"people": 3, "copies": 1, "whole": 5}

    for action, body in (("set", {"value": "1"}), ("reset", {})):
        done = await owner.post(f"{path}/{action}", json={"resource": "people", **body})
        assert done.status_code == 200, done.text
    history = (await state_of(loaded))["history"]
    assert [version["change"] and version["change"]["action"] for version in history[:3]] == [
        "reset",
        "set",
        None,
    ]
    assert await loaded_tables(loaded, 5) == {"people": 5, "copies": 1, "whole": 5}

    audit = (await owner.get(f"{API}/audit", params={"resource_type": "node"})).json()["items"]
    noted = {entry["action"]: entry for entry in audit}
    assert {"state_set", "state_reset", "state_restore"} <= noted.keys()
    assert noted["state_set"]["old_values"]["cursors"]["people.id"] == "4"
    assert noted["state_set"]["new_values"]["cursors"] == {"people.id": "1", "copies.id": "4"}


@pytest.mark.feature("X4")
async def test_a_run_that_is_loading_keeps_its_state(loaded: Loaded) -> None:
    await loaded.load(file_of(3))
    before = await state_of(loaded)
    lease = await loaded.ask("leases/acquire", holder="worker")
    assert (await state_of(loaded))["is_held"] is True
    version = {"load_id": before["history"][0]["load_id"]}
    for action, body in (
        ("reset", {"resource": "people"}),
        ("set", {"resource": "people", "value": "1"}),
        ("restore", version),
    ):
        refused = await loaded.owner.post(f"{loaded.path}/state/{action}", json=body)
        assert refused.status_code == 409, refused.text
        assert "a run is loading" in refused.json()["message"]
        assert refused.json()["hint"]
    assert (await state_of(loaded))["history"] == before["history"]
    await loaded.ask("leases/release", holder="worker", epoch=lease["epoch"])
    done = await loaded.owner.post(f"{loaded.path}/state/reset", json={"resource": "people"})
    assert done.status_code == 200
    # A refused change gives the lease back as well.
    assert (await state_of(loaded))["is_held"] is False


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("set", {"resource": "people", "value": "many"}, 422),
        ("set", {"resource": "people", "value": "9" * 30}, 422),
        ("set", {"resource": "whole", "value": "1"}, 409),
        ("set", {"resource": "nobody", "value": "1"}, 404),
        ("reset", {"resource": "pe\x00ple"}, 422),
        ("reset", {}, 422),
        ("restore", {"load_id": "1.5"}, 409),
    ],
)
async def test_what_cannot_be_is_refused(
    loaded: Loaded, action: str, body: dict[str, Any], status: int
) -> None:
    await loaded.load(file_of(2))
    answer = await loaded.owner.post(f"{loaded.path}/state/{action}", json=body)
    assert answer.status_code == status, answer.text
    state = await state_of(loaded)
    assert (len(state["history"]), state["is_held"]) == (1, False)


@pytest.mark.feature("X4", "A9")
async def test_viewers_read_and_others_see_nothing(
    loaded: Loaded, two_orgs: TwoOrgs, make_member: MakeMember
) -> None:
    await loaded.load(file_of(2))
    viewer = await make_member(loaded.owner, "viewer")
    editor = await make_member(loaded.owner, "editor")
    assert (await viewer.get(f"{loaded.path}/state")).status_code == 200
    body = {"resource": "people"}
    assert (await viewer.post(f"{loaded.path}/state/reset", json=body)).status_code == 403
    assert (await two_orgs.b.get(f"{loaded.path}/state")).status_code == 404
    assert (await two_orgs.b.post(f"{loaded.path}/state/reset", json=body)).status_code == 404
    assert len((await state_of(loaded))["history"]) == 1
    assert (await editor.post(f"{loaded.path}/state/reset", json=body)).status_code == 200
