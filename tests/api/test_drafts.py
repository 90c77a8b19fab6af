"""Drafts of resources over the API: their rows, their errors, their tables."""

from typing import Any

import pytest

from tests.api.conftest import MakeMember, MakeOrg, OrgClient, TwoOrgs

API = "/api/v1"
PEOPLE = b"id,name\n1, Ada \nx,Grace\n"
MAPPED: dict[str, Any] = {
    "name": "people",
    "source": "people.csv",
    "columns": {"id": {"type": "integer"}, "name": {"functions": [{"name": "trim"}]}},
    "calculated": {"loud": {"expression": "upper(name)", "type": "text"}},
}


async def files(owner: OrgClient, content: bytes = PEOPLE) -> int:
    sent = await owner.post(f"{API}/uploads", files={"file": ("people.csv", content)})
    config = {"uploads": [sent.json()["id"]]}
    body = {"name": "Files", "connector": "csv", "config": config}
    return int((await owner.post(f"{API}/connections", json=body)).json()["id"])


async def draft(owner: OrgClient, id: int, **changes: Any) -> Any:
    return await owner.post(
        f"{API}/connections/{id}/draft", json={"resource": {**MAPPED, **changes}}
    )


@pytest.mark.feature("D4", "D5", "D6", "D8")
async def test_a_draft_shows_what_becomes_of_the_rows(make_org: MakeOrg) -> None:
    owner = await make_org()
    id = await files(owner)
    found = (await draft(owner, id)).json()
    assert found["rows"][0]["after"] == [1, "Ada", "ADA"]
    assert found["rows"][1] == {
        "before": ["x", "Grace"],
        "after": None,
        "rejected": {
            "column": "id",
            "reason": "not an integer",
            "file": "people.csv",
            "line": 3,
        },
    }
    assert found["columns"] == {"id": "bigint", "name": "text", "loud": "text"}
    assert found["definition"].startswith('CREATE TABLE "people"')
    entry = (await owner.get(f"{API}/audit", params={"action": "preview"})).json()["items"][0]
    assert entry["new_values"] == {"table": "people.csv"}


async def test_a_wrong_expression_says_where(make_org: MakeOrg) -> None:
    owner = await make_org()
    id = await files(owner)
    wrong = {"loud": {"expression": "upper(name) +\n  * 2", "type": "text"}}
    refused = await draft(owner, id, calculated=wrong)
    assert refused.status_code == 422
    (problem,) = refused.json()["problems"]
    assert problem["field"].startswith("resource.calculated.loud")
    assert problem["message"].startswith("line 2, column ")
    unknown = {"loud": {"expression": "upper(nobody)", "type": "text"}}
    refused = await draft(owner, id, calculated=unknown)
    assert refused.status_code == 422
    assert "calculated.loud: line 1, column 7" in refused.json()["message"]
    gone = await draft(owner, id, columns={"gone": {"type": "text"}})
    assert gone.status_code == 422
    assert "no column gone" in gone.json()["message"]
    nul = await draft(owner, id, source="a\0b")
    assert nul.status_code == 422


@pytest.mark.feature("D8")
async def test_a_table_that_is_there_is_compared(make_org: MakeOrg) -> None:
    owner = await make_org()
    body = {"dataset": "raw", "table": "people", "columns": {"id": "bigint"}}
    found = (await owner.post(f"{API}/connections/compare", json=body)).json()
    assert found == {"exists": False, "differences": []}
    connection = await files(owner)
    refused = await owner.post(
        f"{API}/connections/compare", json={**body, "connection_id": connection}
    )
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["field"] == "connection_id"


@pytest.mark.feature("A18")
async def test_drafts_stay_inside_the_organization(
    two_orgs: TwoOrgs, make_member: MakeMember
) -> None:
    id = await files(two_orgs.b)
    assert (await draft(two_orgs.a, id)).status_code == 404
    body = {"dataset": "raw", "table": "people", "columns": {}, "connection_id": id}
    assert (await two_orgs.a.post(f"{API}/connections/compare", json=body)).status_code == 404
