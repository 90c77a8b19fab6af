"""What connections have: browsed, kept, refreshed, and never another organization's."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.services import listings
from tests.api.conftest import MakeOrg, OrgClient, TwoOrgs

PATH = "/api/v1/connections"


@dataclass
class Source:
    """A database of tables with a user of its own, and its superuser's session."""

    config: dict[str, Any]
    admin: asyncpg.Connection

    async def make(self, *names: str) -> None:
        for name in names:
            await self.admin.execute(f'CREATE TABLE "{name}" (id int PRIMARY KEY, note text)')
            await self.admin.execute(f'GRANT SELECT ON "{name}" TO PUBLIC')


@pytest.fixture
async def source(database: EmbeddedPostgres) -> AsyncIterator[Source]:
    name = f"browsed_{uuid4().hex[:8]}"
    server = await asyncpg.connect(database.url())
    await server.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pw'")
    await server.execute(f"CREATE DATABASE {name}")
    admin = await asyncpg.connect(database.url(name))
    config = {"host": "127.0.0.1", "port": database.port, "database": name, "user": name}
    yield Source(config, admin)
    await admin.close()
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.execute(f"DROP ROLE {name}")
    await server.close()


async def connected(org: OrgClient, source: Source) -> str:
    """The address of a new connection to it."""
    body = {
        "name": "Shop",
        "connector": "postgres",
        "config": source.config,
        "secrets": {"password": "pw"},
    }
    made = await org.post(PATH, json=body)
    assert made.status_code == 201, made.text
    return f"{PATH}/{made.json()['id']}"


async def names(org: OrgClient, one: str, **query: Any) -> list[str]:
    answer = await org.get(f"{one}/tables", params=query)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


@pytest.mark.feature("B8", "X10")
async def test_tables_are_searched_and_paged(make_org: MakeOrg, source: Source) -> None:
    org = await make_org()
    one = await connected(org, source)
    await source.make("ab", "b%", "Ba", "c")
    assert await names(org, one) == ["Ba", "ab", "b%", "c"]
    assert await names(org, one, search="B") == ["Ba", "ab", "b%"]
    first = (await org.get(f"{one}/tables", params={"limit": 3})).json()
    rest = await names(org, one, limit=3, cursor=first["next_cursor"])
    assert rest == ["c"]
    assert (await org.get(f"{one}/schemas")).json()["items"] == ["public"]
    for cursor in ("x", "[1]", '["a"]', '["\\u0000", "a"]', '["\\ud800", "a"]', "[" * 4000):
        refused = await org.get(f"{one}/tables", params={"cursor": cursor})
        assert refused.status_code == 422, cursor
        assert refused.json()["problems"][0]["field"] == "cursor"
    missing = await org.get(f"{one}/columns", params={"table": "nowhere"})
    assert missing.status_code == 422
    assert missing.json()["hint"]


@pytest.mark.feature("B8", "X10")
async def test_a_listing_is_kept_until_somebody_asks_anew(
    make_org: MakeOrg, source: Source
) -> None:
    org = await make_org()
    one = await connected(org, source)
    await source.make("first")
    before = (await org.get(f"{one}/tables")).json()
    await source.make("second")
    kept = (await org.get(f"{one}/tables")).json()
    assert kept == before
    assert await names(org, one, search="second") == ["second"]  # another question
    assert await names(org, one, refresh=True) == ["first", "second"]
    after = (await org.get(f"{one}/tables")).json()
    assert after["listed_at"] > before["listed_at"]
    await source.make("third")
    assert await names(org, one, search="second") == ["second"]
    assert await names(org, one) == ["first", "second"]
    changed = await org.patch(one, json={"config": source.config | {"schema": "other"}})
    assert changed.status_code == 200
    assert await names(org, one) == ["first", "second", "third"]


async def rows(database: EmbeddedPostgres, org: OrgClient) -> int:
    admin = await asyncpg.connect(database.url("etlfabric"))
    found = await admin.fetchval("SELECT count(*) FROM listing WHERE org_id = $1", org.org_id)
    await admin.close()
    return int(found)


async def test_what_is_kept_is_bounded_and_goes_with_the_connection(
    make_org: MakeOrg,
    source: Source,
    database: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listings, "MOST_KEPT", 3)
    org = await make_org()
    one = await connected(org, source)
    for search in ("a", "b", "c", "d", "e"):
        await names(org, one, search=search)
    assert await rows(database, org) == 3
    monkeypatch.setattr(listings, "LONGEST", 10)
    await names(org, one, search="f")
    assert await rows(database, org) == 2  # made room, and was too long to be kept
    assert (await org.patch(one, json={"secrets": {"password": "other"}})).status_code == 200
    assert await rows(database, org) == 0
    assert (await org.get(f"{one}/tables")).status_code == 422  # the password is wrong now


async def test_the_same_question_from_many_at_once(make_org: MakeOrg, source: Source) -> None:
    org = await make_org()
    one = await connected(org, source)
    await source.make("only")
    found = await asyncio.gather(*(names(org, one, refresh=n % 2 == 0) for n in range(6)))
    assert found == [["only"]] * 6


@pytest.mark.feature("A18")
async def test_another_organization_learns_nothing(two_orgs: TwoOrgs, source: Source) -> None:
    theirs = await connected(two_orgs.b, source)
    await source.make("canary")
    assert await names(two_orgs.b, theirs) == ["canary"]
    for path in ("/schemas", "/tables", "/columns?table=canary"):
        foreign = await two_orgs.a.get(theirs + path)
        nothing = await two_orgs.a.get(f"{PATH}/999999999{path}")
        assert foreign.status_code == nothing.status_code == 404
        assert "canary" not in foreign.text
    for path in ("/preview", "/profile"):
        assert (await two_orgs.a.post(theirs + path, json={"table": "canary"})).status_code == 404


@pytest.mark.feature("B10")
async def test_a_destination_is_browsed_in_the_same_way(make_org: MakeOrg, source: Source) -> None:
    org = await make_org()
    (managed,) = (await org.get(PATH)).json()["items"]
    assert (await org.get(f"{PATH}/{managed['id']}/tables")).status_code == 200
    body = {
        "name": "Target",
        "connector": "postgres",
        "config": source.config,
        "secrets": {"password": "pw"},
        "direction": "destination",
    }
    one = f"{PATH}/{(await org.post(PATH, json=body)).json()['id']}"
    await source.make("there")
    assert await names(org, one) == ["there"]
    columns = (await org.get(f"{one}/columns", params={"table": "there"})).json()
    assert columns["primary_key"] == ["id"]


@pytest.mark.feature("B8", "X10")
async def test_rows_are_for_those_who_may_load_them_and_the_log_says_who_looked(
    make_org: MakeOrg, source: Source
) -> None:
    org = await make_org()
    one = await connected(org, source)
    await source.make("people")
    await source.admin.execute("INSERT INTO people VALUES (1, 'Ada'), (2, NULL)")
    found = (await org.post(f"{one}/preview", json={"table": "people"})).json()
    assert found["rows"] == [[1, "Ada"], [2, None]]
    assert found["complete"] is True
    counted = (await org.post(f"{one}/profile", json={"table": "people", "key": ["note"]})).json()
    assert counted["key"]["nulls"] == 1
    wrong = await org.post(f"{one}/profile", json={"table": "people", "key": ["nothing"]})
    assert wrong.status_code == 422
    assert wrong.json()["problems"][0]["field"] == "key"
    audit = (await org.get("/api/v1/audit", params={"resource_type": "connection"})).json()
    looked = [(entry["action"], entry["new_values"]) for entry in audit["items"]]
    assert ("preview", {"table": "people"}) in looked
    assert ("profile", {"table": "people"}) in looked
    assert "Ada" not in str(audit)
