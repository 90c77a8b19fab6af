"""Uploads in pieces: they go on after a break, and nothing of them is lost, doubled or shared."""

import base64
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.services import partial_uploads
from etlfabric_core.settings import Settings
from tests.api.conftest import MakeMember, MakeOrg, OrgClient, TwoOrgs

PATH = "/api/v1/uploads/partial"
CSV = b"id,name\n1,Ada\n2,Grace\n"


async def begun(owner: OrgClient, content: bytes = CSV, name: str = "people.csv") -> int:
    response = await owner.post(PATH, json={"filename": name, "size": len(content)})
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


async def send(
    owner: OrgClient, id: int, offset: int, piece: Any, **headers: str
) -> httpx.Response:
    headers["Upload-Offset"] = str(offset)
    return await owner.patch(f"{PATH}/{id}", content=piece, headers=headers)


async def offset(owner: OrgClient, id: int) -> int:
    answer = await owner.head(f"{PATH}/{id}")
    assert answer.status_code == 200
    return int(answer.headers["Upload-Offset"])


def stored(settings: Settings, owner: OrgClient) -> list[Path]:
    folder = Path(settings.storage_url) / "uploads" / str(owner.org_id)
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.feature("D1", "X20")
async def test_a_file_comes_in_pieces_and_is_finished(
    make_org: MakeOrg, settings: Settings
) -> None:
    owner = await make_org()
    id = await begun(owner)
    assert await offset(owner, id) == 0
    first = await send(owner, id, 0, CSV[:7])
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "7")
    early = await owner.post(f"{PATH}/{id}/finish", json={})
    assert early.status_code == 409
    await send(owner, id, 7, CSV[7:])
    assert await offset(owner, id) == len(CSV)
    digest = hashlib.sha256(CSV).hexdigest()
    made = await owner.post(f"{PATH}/{id}/finish", json={"sha256": digest})
    assert made.status_code == 201, made.text
    upload = made.json()
    assert (upload["filename"], upload["size"], upload["sha256"]) == (
        "people.csv",
        len(CSV),
        digest,
    )
    preview = (await owner.get(f"/api/v1/uploads/{upload['id']}/preview")).json()
    assert preview["rows"] == [["1", "Ada"], ["2", "Grace"]]
    assert (await owner.head(f"{PATH}/{id}")).status_code == 404
    assert [path.name for path in stored(settings, owner)] == [digest]
    entry = (await owner.get("/api/v1/audit", params={"resource_type": "upload"})).json()
    assert entry["items"][0]["action"] == "create"


@pytest.mark.feature("D1")
async def test_what_came_before_a_break_stays(make_org: MakeOrg, app: FastAPI) -> None:
    owner = await make_org()
    id = await begun(owner)
    scope = {
        "type": "http",
        "method": "PATCH",
        "path": f"{PATH}/{id}",
        "raw_path": f"{PATH}/{id}".encode(),
        "query_string": b"",
        "headers": [(b"authorization", owner.headers["Authorization"].encode())],
        "client": ("127.0.0.1", 1),
    }
    parts = iter(
        [
            {"type": "http.request", "body": CSV[:10], "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(parts)

    async def nobody_listens(message: Any) -> None:
        pass

    await app(scope, receive, nobody_listens)
    there = await offset(owner, id)
    assert there == 10
    await send(owner, id, there, CSV[there:])
    made = await owner.post(f"{PATH}/{id}/finish", json={})
    assert made.json()["sha256"] == hashlib.sha256(CSV).hexdigest()


async def test_a_wrong_offset_is_refused_and_changes_nothing(make_org: MakeOrg) -> None:
    owner = await make_org()
    id = await begun(owner)
    await send(owner, id, 0, CSV[:5])
    for wrong in (0, 4, 6, 10**12):
        refused = await send(owner, id, wrong, CSV[5:])
        assert refused.status_code == 409
        assert refused.json()["problems"][0]["message"] == "it must be 5"
    assert (await send(owner, id, -1, b"x")).status_code == 422
    beyond = await send(owner, id, 5, CSV)
    assert beyond.status_code == 413
    assert await offset(owner, id) == 5


@pytest.mark.feature("D1")
async def test_checksums_of_pieces_and_of_the_whole(make_org: MakeOrg, settings: Settings) -> None:
    owner = await make_org()
    id = await begun(owner)
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    for checksum in (f"sha256 {wrong}", "md5 abc", "sha256 !!", ""):
        refused = await send(owner, id, 0, CSV, **{"Upload-Checksum": checksum})
        assert refused.status_code == 422, checksum
        assert refused.json()["problems"][0]["field"] == "Upload-Checksum"
    assert await offset(owner, id) == 0
    assert stored(settings, owner) == []
    right = base64.b64encode(hashlib.sha256(CSV).digest()).decode()
    await send(owner, id, 0, CSV, **{"Upload-Checksum": f"sha256 {right}"})
    refused = await owner.post(f"{PATH}/{id}/finish", json={"sha256": "0" * 64})
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["field"] == "sha256"
    assert (await owner.get("/api/v1/uploads")).json()["items"] == []
    assert len(stored(settings, owner)) == 1  # the piece; of the whole file nothing


async def test_what_cannot_be_a_file_is_refused_at_once(make_org: MakeOrg) -> None:
    owner = await make_org()
    for size, status in ((0, 422), ((1 << 20) + 1, 413), (10**30, 413)):
        body = {"filename": "x.csv", "size": size}
        assert (await owner.post(PATH, json=body)).status_code == status
    for name in ("", "\0", "x" * 201):
        refused = await owner.post(PATH, json={"filename": name, "size": 1})
        assert refused.status_code == 422
    for _ in range(partial_uploads.MOST_OPEN):
        last = await begun(owner)
    too_many = await owner.post(PATH, json={"filename": "x.csv", "size": 1})
    assert too_many.status_code == 409
    assert (await owner.delete(f"{PATH}/{last}")).status_code == 204
    await begun(owner)


async def test_what_nobody_goes_on_with_is_given_up(
    make_org: MakeOrg, app: FastAPI, settings: Settings, database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    id, alive = await begun(owner), await begun(owner)
    for one in (id, alive):
        await send(owner, one, 0, CSV[:5])
    admin = await asyncpg.connect(database.url("etlfabric"))
    late = "UPDATE partial_upload SET expires_at = now() - $1::interval WHERE id = $2"
    await admin.execute(late, timedelta(seconds=1), id)
    assert (await owner.head(f"{PATH}/{id}")).status_code == 404
    wiring = app.state.wiring
    await partial_uploads.forget_expired(wiring.sessions, wiring.storage)
    left = await admin.fetch("SELECT id FROM partial_upload WHERE org_id = $1", owner.org_id)
    await admin.close()
    assert [row["id"] for row in left] == [alive]
    assert len(stored(settings, owner)) == 1
    assert await offset(owner, alive) == 5


@pytest.mark.feature("A18")
async def test_another_organizations_file_on_its_way_does_not_exist(
    two_orgs: TwoOrgs, make_member: MakeMember
) -> None:
    id = await begun(two_orgs.b)
    a = two_orgs.a
    assert (await a.head(f"{PATH}/{id}")).status_code == 404
    assert (await send(a, id, 0, CSV)).status_code == 404
    assert (await a.post(f"{PATH}/{id}/finish", json={})).status_code == 404
    assert (await a.delete(f"{PATH}/{id}")).status_code == 404
    assert await offset(two_orgs.b, id) == 0
    viewer = await make_member(two_orgs.b, "viewer")
    assert (await viewer.post(PATH, json={"filename": "x.csv", "size": 1})).status_code == 403
    assert (await send(viewer, id, 0, CSV)).status_code == 403
