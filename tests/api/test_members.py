"""Members and roles: who may do what, and the last owner."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from etlfabric_core.access.permissions import ROLE_PERMISSIONS, Permission, Role
from tests.api.conftest import MakeOrg, OrgClient, TwoOrgs

PATH = "/api/v1/members"
MakeMember = Callable[..., Any]


async def test_the_four_roles_grow_from_one_another() -> None:
    viewer, editor, admin, owner = (
        ROLE_PERMISSIONS[role] for role in (Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER)
    )
    assert viewer < editor < admin < owner == frozenset(Permission)
    assert all(permission.endswith(":read") for permission in viewer)
    assert not any(permission.endswith(":delete") for permission in editor)
    assert owner - admin == {Permission.ORGANIZATION_WRITE, Permission.MEMBERS_WRITE}


@pytest.mark.feature("A9")
@pytest.mark.parametrize("role", ["admin", "editor", "viewer"])
async def test_what_each_role_may_do(make_org: MakeOrg, make_member: MakeMember, role: str) -> None:
    owner = await make_org()
    member: OrgClient = await make_member(owner, role)
    connection = {"name": "Files", "connector": "sqlite", "config": {"uploads": [1]}}
    may_write, may_delete = role != "viewer", role == "admin"
    expected = {
        ("GET", "/organization"): True,
        ("PATCH", "/organization"): False,
        ("GET", "/members"): True,
        ("POST", "/members"): False,
        ("PATCH", "/members/1"): False,
        ("DELETE", "/members/1"): False,
        ("GET", "/connections"): True,
        ("POST", "/connections"): may_write,
        ("PATCH", "/connections/1"): may_write,
        ("POST", "/connections/1/test"): may_write,
        ("DELETE", "/connections/1"): may_delete,
        ("GET", "/uploads"): True,
        ("POST", "/uploads"): may_write,
        ("DELETE", "/uploads/1"): may_delete,
        ("GET", "/tables"): True,
    }
    bodies = {
        ("PATCH", "/organization"): {"json": {"name": "Mine"}},
        ("POST", "/members"): {"json": {"email": "x@example.com", "role": "viewer"}},
        ("PATCH", "/members/1"): {"json": {"role": "owner"}},
        ("POST", "/connections"): {"json": connection},
        ("PATCH", "/connections/1"): {"json": {"name": "x"}},
        ("POST", "/uploads"): {"files": {"file": ("a.csv", b"a\n1\n")}},
    }
    for call, allowed in expected.items():
        method, path = call
        response = await member.request(method, f"/api/v1{path}", **bodies.get(call, {}))
        assert (response.status_code != 403) is allowed, (role, call, response.text)


@pytest.mark.feature("A10")
async def test_add_change_remove(make_org: MakeOrg, make_member: MakeMember) -> None:
    owner = await make_org()
    member: OrgClient = await make_member(owner, "viewer")
    people = {item["email"]: item for item in (await owner.get(PATH)).json()["items"]}
    assert set(people) == {owner.email, member.email}
    one = f"{PATH}/{people[member.email]['id']}"
    assert (await member.post("/api/v1/connections", json={})).status_code in (403, 422)
    assert (await owner.patch(one, json={"role": "admin"})).json()["role"] == "admin"
    assert (await member.get("/api/v1/me")).json()["role"] == "admin"
    assert (await owner.delete(one)).status_code == 204
    # The access token is still good for minutes, the membership is not.
    assert (await member.get("/api/v1/me")).status_code == 401


async def test_bad_members(make_org: MakeOrg, make_member: MakeMember) -> None:
    owner = await make_org()
    member: OrgClient = await make_member(owner, "viewer")
    nobody = {"email": "nobody@example.com", "role": "viewer"}
    assert (await owner.post(PATH, json=nobody)).status_code == 404
    again = {"email": member.email.upper(), "role": "viewer"}
    assert (await owner.post(PATH, json=again)).status_code == 409
    king = {"email": member.email, "role": "king"}
    assert (await owner.post(PATH, json=king)).status_code == 422


async def test_the_last_owner_stays(make_org: MakeOrg, make_member: MakeMember) -> None:
    owner = await make_org()
    (alone,) = (await owner.get(PATH)).json()["items"]
    one = f"{PATH}/{alone['id']}"
    assert (await owner.delete(one)).status_code == 409
    assert (await owner.patch(one, json={"role": "editor"})).status_code == 409
    second: OrgClient = await make_member(owner, "owner")
    people = {item["email"]: item["id"] for item in (await owner.get(PATH)).json()["items"]}
    answers = await asyncio.gather(
        owner.delete(f"{PATH}/{people[second.email]}"),
        second.delete(f"{PATH}/{people[owner.email]}"),
    )
    assert sorted(answer.status_code for answer in answers)[0] == 204
    left = [
        client
        for client in (owner, second)
        if (await client.get("/api/v1/organization")).status_code == 200
    ]
    assert len(left) == 1
    (last,) = (await left[0].get(PATH)).json()["items"]
    assert last["role"] == "owner"


async def test_members_of_another_organization(two_orgs: TwoOrgs) -> None:
    (theirs,) = (await two_orgs.b.get(PATH)).json()["items"]
    one = f"{PATH}/{theirs['id']}"
    assert (await two_orgs.a.patch(one, json={"role": "viewer"})).status_code == 404
    assert (await two_orgs.a.delete(one)).status_code == 404
    assert two_orgs.b.email not in (await two_orgs.a.get(PATH)).text


@pytest.mark.feature("A1")
async def test_an_organization_changes_its_name_but_not_its_slug(make_org: MakeOrg) -> None:
    owner = await make_org()
    renamed = await owner.patch("/api/v1/organization", json={"name": "Ünïcode & Söhne"})
    assert renamed.json() == owner.organization | {"name": "Ünïcode & Söhne"}
    assert (await owner.patch("/api/v1/organization", json={"slug": "x"})).status_code == 422
    nul = await owner.patch("/api/v1/organization", json={"name": "a\u0000b"})
    assert nul.status_code == 422
