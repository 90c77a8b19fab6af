"""Organizations: what people see of one, and another one of the same person."""

import httpx
import pytest

from cli.stack.postgres import EmbeddedPostgres
from tests.api.conftest import USER_PASSWORD, MakeOrg
from tests.api.organization_contents import MINE, ONE


@pytest.mark.feature("A1")
async def test_an_organization_changes_what_people_see_but_not_its_slug(make_org: MakeOrg) -> None:
    owner = await make_org()
    new = {"name": "Ünïcode & Söhne", "description": "Flights and trains"}
    assert (await owner.patch(ONE, json=new)).json() == owner.organization | new
    assert (await owner.patch(ONE, json={"name": "Short"})).json()["description"] == (
        "Flights and trains"
    )
    (entry, *_) = (await owner.get("/api/v1/audit", params={"action": "update"})).json()["items"]
    assert entry["old_values"] == {"name": "Ünïcode & Söhne"}
    assert entry["new_values"] == {"name": "Short"}
    for wrong in (
        {"slug": "x"},
        {"name": "a\u0000b"},
        {"name": ""},
        {"name": None},
        {"description": "x" * 5001},
        {"id": 1},
        {"deleted_at": None},
        {"airflow_operators": True},
    ):
        assert (await owner.patch(ONE, json=wrong)).status_code == 422, wrong


@pytest.mark.feature("A2")
async def test_another_organization_of_the_same_person(
    make_org: MakeOrg, client: httpx.AsyncClient, database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    made = await owner.post(MINE, json={"name": f"Second of {owner.slug}"})
    assert made.status_code == 201, made.text
    slug = made.json()["slug"]
    me = (await owner.get("/api/v1/me")).json()
    assert {one["organization"]["slug"]: one["role"] for one in me["memberships"]} == {
        owner.slug: "owner",
        slug: "owner",
    }
    body = {"email": owner.email, "password": USER_PASSWORD, "organization": slug}
    there = (await client.post("/api/v1/auth/login", json=body)).json()
    client.headers["Authorization"] = f"Bearer {there['access_token']}"
    (workflow,) = (await client.get("/api/v1/workflows")).json()["items"]
    assert workflow["slug"] == "main"
    assert (await client.get("/api/v1/tables")).json()["items"] == []  # as its own role
    for wrong, status in (({"name": slug}, 409), ({"name": "…"}, 422), ({"name": ""}, 422)):
        refused = await owner.post(MINE, json=wrong)
        assert (refused.status_code, refused.json()["problems"][0]["field"]) == (status, "name")
