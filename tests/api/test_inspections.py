"""Inspections of uploads and newer versions of files, over the API."""

import gzip
from typing import Any

import pytest

from tests.api.conftest import MakeOrg, OrgClient, TwoOrgs
from tests.api.test_workflow_graph import main_workflow

API = "/api/v1"
FRENCH = "id;nom;prix\n1;Hélène;1,50\n2;François;2,75\nx;Zoé;3\n" + "7;Anne;4,1\n" * 20


async def sent(owner: OrgClient, name: str, content: bytes) -> int:
    response = await owner.post(f"{API}/uploads", files={"file": (name, content)})
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


async def connected(owner: OrgClient, upload: int) -> int:
    body = {"name": "Files", "connector": "csv", "config": {"uploads": [upload]}}
    return int((await owner.post(f"{API}/connections", json=body)).json()["id"])


@pytest.mark.feature("D2", "D3")
async def test_an_inspection_proposes_what_a_draft_can_load(make_org: MakeOrg) -> None:
    owner = await make_org()
    id = await sent(owner, "prix.csv.gz", gzip.compress(FRENCH.encode("cp1252")))
    found = (await owner.get(f"{API}/uploads/{id}/inspection")).json()
    assert found["dialect"]["encoding"] == "cp1252"
    assert (found["dialect"]["delimiter"], found["rows"]) == (";", 23)
    assert [column["type"] for column in found["columns"]] == ["integer", "text", "number"]
    assert found["columns"][0]["first_misfits"] == [{"value": "x", "row": 3, "line": 4}]
    assert {reason["part"] for reason in found["reasons"]} == {"encoding", "delimiter", "header"}
    config = {"uploads": [id], **found["dialect"]}
    made = await owner.post(
        f"{API}/connections", json={"name": "Prix", "connector": "csv", "config": config}
    )
    columns = {one["name"]: {k: one[k] for k in ("type", "functions")} for one in found["columns"]}
    resource = {"name": "prix", "source": "prix.csv.gz", "columns": columns}
    shown = await owner.post(
        f"{API}/connections/{made.json()['id']}/draft", json={"resource": resource}
    )
    assert [row["after"] for row in shown.json()["rows"][:3]] == [
        [1, "Hélène", "1.50"],
        [2, "François", "2.75"],
        None,
    ]


@pytest.mark.feature("D2")
async def test_a_preview_has_pages(make_org: MakeOrg) -> None:
    owner = await make_org()
    id = await sent(owner, "n.csv", b"n\n" + b"".join(b"%d\n" % n for n in range(60)))
    path = f"{API}/uploads/{id}/preview"
    first = (await owner.get(path)).json()
    assert (len(first["rows"]), first["complete"]) == (50, False)
    last = (await owner.get(path, params={"offset": 50})).json()
    assert (last["rows"][0], len(last["rows"]), last["complete"]) == (["50"], 10, True)
    beyond = (await owner.get(path, params={"offset": 1000})).json()
    assert (beyond["rows"], beyond["complete"]) == ([], True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,\x00\n", "line 2: a NUL character"),
        (b"a,b\n1\n", "line 2: 1 fields"),
        (b"a,a\n1,2\n", "occurs twice"),
    ],
)
async def test_a_broken_file_says_where(make_org: MakeOrg, content: bytes, words: str) -> None:
    owner = await make_org()
    id = await sent(owner, "broken.csv", content)
    refused = await owner.get(f"{API}/uploads/{id}/inspection")
    assert refused.status_code == 422
    assert words in refused.json()["message"]
    for wrong in ({"delimiter": ";;"}, {"encoding": "\0"}, {"delimiter": "\n"}):
        assert (await owner.get(f"{API}/uploads/{id}/inspection", params=wrong)).status_code == 422


@pytest.mark.feature("X20")
async def test_a_newer_version_shows_what_changed_and_whom_it_breaks(make_org: MakeOrg) -> None:
    owner = await make_org()
    former = await sent(owner, "people.csv", b"id,Full Name,city\n1,Ada,London\n")
    connection = await connected(owner, former)
    resource: dict[str, Any] = {
        "name": "people",
        "source": "people.csv",
        "columns": {"Full Name": {"name": "name"}},
        "calculated": {"loud": {"expression": "upper(name)", "type": "text"}},
    }
    pipeline = {
        "workflow_id": await main_workflow(owner),
        "name": "People",
        "source_connection_id": connection,
        "dataset": "raw",
        "config": {"resources": [resource]},
    }
    made = (await owner.post(f"{API}/pipelines", json=pipeline)).json()
    newer = await sent(owner, "people.csv", b"city,id,full_name,mail\nParis,2,Zoe,z@x.org\n")
    path = f"{API}/connections/{connection}/drift"
    found = (await owner.get(path, params={"upload_id": newer})).json()
    assert found["added"] == ["mail"]
    assert found["renamed"] == [{"before": "Full Name", "after": "full_name"}]
    assert (found["missing"], found["reordered"]) == ([], True)
    assert found["broken"] == [
        {
            "pipeline_id": made["id"],
            "pipeline": "People",
            "resource": "people",
            "columns": ["Full Name"],
        }
    ]
    body = {"config": {"uploads": [newer]}}
    assert (await owner.patch(f"{API}/connections/{connection}", json=body)).status_code == 200
    draft = await owner.post(f"{API}/connections/{connection}/draft", json={"resource": resource})
    assert draft.status_code == 422
    assert "no column Full Name" in draft.json()["message"]
    same = (await owner.get(path, params={"upload_id": newer})).json()
    assert (same["added"], same["reordered"], same["broken"]) == ([], False, [])
    other = await sent(owner, "others.csv", b"id\n1\n")
    refused = await owner.get(path, params={"upload_id": other})
    assert refused.json()["problems"][0]["field"] == "upload_id"


@pytest.mark.feature("A18")
async def test_another_organizations_files_cannot_be_asked(two_orgs: TwoOrgs) -> None:
    theirs = await sent(two_orgs.b, "people.csv", b"id\n1\n")
    mine = await sent(two_orgs.a, "people.csv", b"id\n1\n")
    a = two_orgs.a
    assert (await a.get(f"{API}/uploads/{theirs}/inspection")).status_code == 404
    connection = await connected(a, mine)
    path = f"{API}/connections/{connection}/drift"
    assert (await a.get(path, params={"upload_id": theirs})).status_code == 404
    b = two_orgs.b
    assert (await b.get(path, params={"upload_id": theirs})).status_code == 404
