"""Who may sign in to Airflow, as Airflow's side asks."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from etlfabric_core.access.permissions import PlatformRole
from etlfabric_core.db.scope import platform_session
from etlfabric_core.models import Membership, Organization, User
from etlfabric_core.services import accounts, platform
from tests.api.conftest import INTERNAL_TOKEN, USER_PASSWORD, MakeMember, MakeOrg, OrgClient

PATH = "/internal/v1/operators"


@pytest.fixture
def airflow_side(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The service, as Airflow calls it."""
    client.headers["Authorization"] = f"Bearer {INTERNAL_TOKEN}"
    return client


@pytest.fixture
def allow(app: FastAPI) -> Callable[..., Any]:
    """Allows an organization's operators, or no longer."""

    async def decide(client: OrgClient, allowed: bool = True) -> None:
        async with platform_session(app.state.wiring.sessions) as session:
            row = await session.scalar(select(Organization).where(Organization.id == client.org_id))
            assert row is not None
            row.airflow_operators = allowed

    return decide


async def sign_in(
    airflow_side: httpx.AsyncClient, email: str, password: str = USER_PASSWORD
) -> httpx.Response:
    body = {"username": email, "password": password, "address": "192.0.2.7"}
    return await airflow_side.post(f"{PATH}/sign-in", json=body)


@pytest.mark.feature("A9")
@pytest.mark.parametrize(
    ("role", "operates"), [("admin", True), ("editor", False), ("viewer", False)]
)
async def test_owners_and_admins_of_an_allowed_organization_may(
    make_org: MakeOrg,
    make_member: MakeMember,
    airflow_side: httpx.AsyncClient,
    allow: Callable[..., Any],
    role: str,
    operates: bool,
) -> None:
    owner = await make_org()
    member = await make_member(owner, role)
    for client in (owner, member):  # off by default
        refused = await sign_in(airflow_side, client.email)
        assert refused.status_code == 403
        assert "may not sign in to Airflow" in refused.json()["message"]
    await allow(owner)
    assert (await sign_in(airflow_side, owner.email)).json()["organizations"] == [owner.slug]
    answer = await sign_in(airflow_side, member.email)
    assert answer.status_code == (200 if operates else 403), answer.text
    await allow(owner, False)
    assert (await sign_in(airflow_side, owner.email)).status_code == 403


@pytest.mark.feature("A9")
async def test_an_operator_of_two_organizations_has_both_and_no_third(
    make_org: MakeOrg, app: FastAPI, airflow_side: httpx.AsyncClient, allow: Callable[..., Any]
) -> None:
    first, second, third = [await make_org(name) for name in ("first", "second", "third")]
    for organization in (first, second, third):
        await allow(organization)
    await join(app, first.email, second, "admin")
    await join(app, first.email, third, "editor")
    found = (await sign_in(airflow_side, first.email)).json()
    assert found["organizations"] == sorted([first.slug, second.slug])
    asked = await airflow_side.get(f"{PATH}/{found['user_id']}")
    assert asked.json() == found
    for client in (first, second):
        entries = (await client.get("/api/v1/audit", params={"action": "login"})).json()["items"]
        signed_in = [one for one in entries if one["new_values"] == {"method": "airflow"}]
        assert [one["address"] for one in signed_in] == ["192.0.2.7"]


async def join(app: FastAPI, email: str, organization: OrgClient, role: str) -> None:
    async with platform_session(app.state.wiring.sessions) as session:
        user = await accounts.find_by_email(session, email)
        assert user is not None
        session.add(Membership(org_id=organization.org_id, user_id=user.id, role=role))


@pytest.mark.feature("A9")
async def test_unknown_and_wrong_are_one_answer(
    make_org: MakeOrg, airflow_side: httpx.AsyncClient, allow: Callable[..., Any]
) -> None:
    owner = await make_org()
    await allow(owner)
    wrong = await sign_in(airflow_side, owner.email, "not the password")
    unknown = await sign_in(airflow_side, "nobody@example.com")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()


@pytest.mark.feature("A9")
async def test_a_changed_password_changes_the_stamp_and_a_gone_account_has_none(
    make_org: MakeOrg, app: FastAPI, airflow_side: httpx.AsyncClient
) -> None:
    owner = await make_org()
    sessions = app.state.wiring.sessions
    async with platform_session(sessions) as session:
        await platform.grant(session, owner.email, PlatformRole.OPERATOR, unverified=True)
    found = (await sign_in(airflow_side, owner.email)).json()
    assert (found["platform_role"], found["organizations"]) == ("operator", [])
    path = f"{PATH}/{found['user_id']}"
    async with platform_session(sessions) as session:
        user = await session.scalar(select(User).where(User.id == found["user_id"]))
        assert user is not None
        user.password_hash = f"{user.password_hash} changed"
    assert (await airflow_side.get(path)).json()["stamp"] != found["stamp"]
    async with platform_session(sessions) as session:
        await accounts.disable(session, owner.email)
    assert (await airflow_side.get(path)).status_code == 404
    assert (await sign_in(airflow_side, owner.email)).status_code == 401


async def test_nobody_but_airflows_side_may_ask(make_org: MakeOrg) -> None:
    owner = await make_org()
    assert (await sign_in(owner, owner.email)).status_code == 401
    assert (await owner.get(f"{PATH}/1")).status_code == 401
