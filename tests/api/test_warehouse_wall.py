"""The managed warehouse under attack: what one organization can do to another in SQL."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations import postgres
from etlfabric_core.extract_load.destinations.postgres import fencing
from etlfabric_core.extract_load.plan import LoadPlan
from etlfabric_core.extract_load.sources import open_reader
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.services import warehouse
from tests.api.conftest import TwoOrgs
from tests.api.hostile_sql import BLIND, NEIGHBOUR, NOT_BUILT, REFUSED, VISIBLE, Hostile
from tests.api.warehouse_world import Wall, direct, endpoint_of, login_of
from tests.loading import Holder

ANSWERED = "answered"
# Everything of others that a statement could have changed.
STATE = """
SELECT json_build_array(
  (SELECT json_agg(r) FROM (SELECT rolname, rolsuper, rolcreaterole, rolconnlimit, rolconfig
     FROM pg_roles ORDER BY 1) r),
  (SELECT json_agg(m) FROM (SELECT roleid::regrole, member::regrole, admin_option, set_option
     FROM pg_auth_members ORDER BY 1, 2) m),
  (SELECT json_agg(d) FROM (SELECT datname, datdba::regrole, datacl::text
     FROM pg_database ORDER BY 1) d),
  (SELECT json_agg(n) FROM (SELECT nspname, nspowner::regrole, nspacl::text
     FROM pg_namespace WHERE nspname NOT LIKE '{a}%' ORDER BY 1) n),
  (SELECT json_agg(c) FROM (SELECT relname, relowner::regrole, relacl::text, relnamespace
     FROM pg_class WHERE relnamespace::regnamespace::text NOT LIKE '{a}%' ORDER BY 1, 4) c),
  (SELECT json_agg(a) FROM (SELECT * FROM pg_default_acl) a),
  (SELECT json_agg(p) FROM {b}_raw.people p)
)
"""
# A view through which the service itself runs the statement, in its role for previews.
TRAP = (
    "CREATE OR REPLACE FUNCTION {a}_raw.trap() RETURNS SETOF text LANGUAGE plpgsql AS $trap$"
    " BEGIN %s; END $trap$"
)
TRAP_VIEW = "CREATE VIEW {a}_raw.trap AS SELECT t FROM {a}_raw.trap() t"
QUERIES = ("SELECT", "TABLE")


async def state(wall: Wall) -> list[Any]:
    cursor = await wall.admin.execute(wall.sql(STATE))
    row = await cursor.fetchone()
    assert row is not None
    return list(row[0])


async def prepared(wall: Wall, hostile: Hostile) -> None:
    await wall.attacker.execute("ROLLBACK; RESET ALL")
    for statement in hostile.setup:
        await wall.plant(statement)


async def tried(wall: Wall, hostile: Hostile) -> tuple[str, str]:
    """How a direct login is answered: the error's state, or `ANSWERED`, and the text."""
    await prepared(wall, hostile)
    try:
        cursor = await wall.attacker.execute(wall.sql(hostile.statement))
        return ANSWERED, str(await cursor.fetchall() if cursor.description else [])
    except psycopg.Error as error:
        return str(error.sqlstate), f"{error} {error.diag.message_detail}"


@pytest.mark.feature("A19")
async def test_a_direct_login_is_refused(wall: Wall) -> None:
    before, wrong = await state(wall), []
    for hostile in REFUSED:
        answer, text = await tried(wall, hostile)
        if answer not in hostile.answers or wall.canary in text:
            wrong.append((hostile.name, answer, text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert await state(wall) == before
    assert len(REFUSED) >= 60


@pytest.mark.feature("A19")
async def test_a_direct_login_is_shown_nothing(wall: Wall) -> None:
    before, wrong = await state(wall), []
    for hostile in BLIND:
        answer, text = await tried(wall, hostile)
        if answer not in (ANSWERED, *NOT_BUILT) or wall.canary in text or "root:" in text:
            wrong.append((hostile.name, answer, text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert await state(wall) == before


@pytest.mark.feature("A19")
async def test_a_view_makes_the_service_read_nothing(wall: Wall) -> None:
    """Rows and counts of a view that tries every statement as soon as it is read."""
    await wall.plant(TRAP % "RETURN")
    await wall.plant(TRAP_VIEW)
    assert (await wall.a.get("/api/v1/tables/raw/trap/rows")).json()["rows"] == []
    before, wrong = await state(wall), []
    for hostile in (*REFUSED, *BLIND):
        await prepared(wall, hostile)
        await wall.attacker.execute("ROLLBACK; RESET ALL")
        verb = f"EXECUTE $t${hostile.statement}$t$"
        if hostile.statement.startswith(QUERIES):
            verb = f"RETURN QUERY EXECUTE $t$SELECT t::text FROM ({hostile.statement}) t$t$"
        await wall.plant(TRAP % verb)
        for question in ("rows", "count") if hostile in NEIGHBOUR else ("rows",):
            answer = await wall.a.get(f"/api/v1/tables/raw/trap/{question}")
            refused = answer.status_code in (404, 422) or hostile in BLIND
            if not refused or wall.canary in answer.text or answer.status_code >= 500:
                wrong.append((hostile.name, question, answer.status_code, answer.text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    assert await state(wall) == before


@pytest.mark.feature("A19")
async def test_a_pipeline_reads_nothing_of_the_neighbour(wall: Wall) -> None:
    """The managed warehouse as a source, with the neighbour's names."""
    managed = (await wall.a.get("/api/v1/connections")).json()["items"][0]
    found = await wall.a.get(f"/api/v1/connections/{managed['id']}/tables")
    assert found.status_code == 200
    assert f"{wall.a.slug}_raw.people" in found.text
    assert f"{wall.b.slug}_raw" not in found.text
    theirs = {"name": "x", "source": f"{wall.b.slug}_raw.people"}
    config = PipelineConfig.model_validate({"resources": [theirs]})
    endpoint = await endpoint_of(wall.wiring, wall.a)
    for source_schema in (None, f"{wall.b.slug}_raw"):
        config = config.model_copy(update={"source_schema": source_schema})
        with open_reader(endpoint, {}, config) as reader, pytest.raises(TerminalError):
            reader.table(config.resources[0])


@pytest.mark.feature("A19")
@pytest.mark.parametrize("name", ["etlfabric", "airflow", "postgres", "template1"])
async def test_no_other_database_lets_it_in(app: FastAPI, two_orgs: TwoOrgs, name: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        async with direct(app.state.wiring, two_orgs.a, name):
            pass


async def test_what_postgresql_shows_to_everybody(wall: Wall) -> None:
    """Known and not to be closed: names, comments, sizes, counts."""
    await wall.victim.execute(wall.sql("COMMENT ON TABLE {b}_raw.people IS 'a comment'"))
    for name, query in VISIBLE.items():
        row = await (await wall.attacker.execute(wall.sql(query))).fetchone()
        assert row is not None, name
        assert row[0], name


async def test_notifications_pass_between_roles(wall: Wall) -> None:
    """PostgreSQL has no right for NOTIFY, so nothing of ours may ever act on what it hears."""
    await wall.victim.execute("LISTEN orders")
    await wall.attacker.execute("NOTIFY orders, 'from the neighbour'")
    heard = [one async for one in wall.victim.notifies(timeout=10, stop_after=1)]
    assert [one.payload for one in heard] == ["from the neighbour"]
    words = ("LISTEN ", "add_listener", "notifies(")
    for path in (Path(__file__).parents[2] / "etlfabric_core").rglob("*.py"):
        assert not any(word in path.read_text() for word in words), path


async def test_a_role_may_change_its_own_password_only(wall: Wall) -> None:
    """Nothing in PostgreSQL forbids it; making the role's password anew mends it."""
    await wall.plant("ALTER ROLE org_{a} PASSWORD 'known to the attacker'")
    assert (await wall.a.get("/api/v1/tables")).status_code == 502
    password = (await login_of(wall.wiring, wall.a)).password
    await warehouse.provision(wall.wiring.warehouse, wall.a.slug, password)
    assert (await wall.a.get("/api/v1/tables")).status_code == 200


PLANTED = (
    "CREATE FUNCTION {a}_raw.ran() RETURNS text LANGUAGE plpgsql"
    " AS 'BEGIN RAISE ''ran as %'', current_user; END'",
    "CREATE FUNCTION {a}_raw.format(text, VARIADIC text[]) RETURNS text LANGUAGE sql"
    " AS 'SELECT {a}_raw.ran()'",
    "CREATE FUNCTION {a}_raw.format_type(oid, integer) RETURNS text LANGUAGE sql"
    " AS 'SELECT {a}_raw.ran()'",
    "CREATE FUNCTION {a}_raw.pg_get_userbyid(oid) RETURNS name LANGUAGE sql"
    " AS 'SELECT {a}_raw.ran()::name'",
    "CREATE FUNCTION {a}_raw.pg_terminate_backend(integer) RETURNS bool LANGUAGE sql"
    " AS 'SELECT {a}_raw.ran() IS NULL'",
    "CREATE FUNCTION {a}_raw.same(name, name) RETURNS bool LANGUAGE sql"
    " AS 'SELECT {a}_raw.ran() IS NULL'",
    "CREATE OPERATOR {a}_raw.= (FUNCTION = {a}_raw.same, LEFTARG = name, RIGHTARG = name)",
    *(
        f"CREATE VIEW {{a}}_raw.{name} AS SELECT {{a}}_raw.ran() AS oid, 'x' AS rolname"
        for name in ("pg_class", "pg_namespace", "pg_attribute", "pg_roles", "pg_type")
    ),
    "CREATE DOMAIN {a}_raw.text AS pg_catalog.int4",
    "ALTER ROLE org_{a} SET search_path = {a}_raw, pg_catalog",
)


@pytest.mark.feature("A19")
async def test_planted_names_are_never_taken_for_the_catalogs(wall: Wall) -> None:
    for statement in PLANTED:
        await wall.plant(statement)
    async with direct(wall.wiring, wall.a) as session:
        with pytest.raises(psycopg.errors.RaiseException, match="ran as org_"):
            await session.execute("SELECT format('%s', VARIADIC '{}'::pg_catalog.text[])")
    managed, slug = wall.wiring.warehouse, wall.a.slug
    password = (await login_of(wall.wiring, wall.a)).password
    await warehouse.provision(managed, slug, password)
    assert await warehouse.ensure_dataset(managed, slug, "next") == f"{slug}_next"
    listed = await wall.a.get("/api/v1/tables")
    assert "people" in {table["name"] for table in listed.json()["items"]}
    rows = await wall.a.get("/api/v1/tables/raw/people/rows")
    assert rows.json()["rows"] == [["own"]]
    assert (await wall.a.get("/api/v1/tables/raw/people/count")).json() == {"rows": 1}


async def test_nobody_else_holds_the_locks_of_a_dataset(
    wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fencing, "TAKEOVER_SECONDS", 2)
    monkeypatch.setattr(fencing, "QUEUE_SECONDS", 2)
    pipeline, dataset = f"{wall.b.slug}_load", f"{wall.b.slug}_raw"
    guesses = ("dataset", f"pipeline {pipeline}", f"etlfabric:dataset:{dataset}")
    for guess in (*guesses, f"etlfabric:pipeline:{dataset}/{pipeline}"):
        await wall.attacker.execute(
            "SELECT pg_advisory_lock(hashtextextended(%s, seed)) FROM generate_series(0, 3) seed",
            [guess],
        )
    plan = LoadPlan(
        pipeline=pipeline,
        source=await endpoint_of(wall.wiring, wall.b),
        destination=await endpoint_of(wall.wiring, wall.b),
        dataset=dataset,
        config=PipelineConfig.model_validate({"resources": [{"name": "x"}]}),
    )

    def held() -> None:
        with postgres.open_destination(plan, Holder()) as opened, opened.dataset_lock(Holder()):
            pass

    await asyncio.to_thread(held)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await wall.attacker.execute(wall.sql("SELECT seed FROM {b}_raw._etlfabric_seed"))


@pytest.mark.feature("A19")
async def test_an_organization_uses_up_its_own_connections_only(wall: Wall) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(warehouse.CONNECTION_LIMIT - 1):
            await stack.enter_async_context(direct(wall.wiring, wall.a))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            await stack.enter_async_context(direct(wall.wiring, wall.a))
        assert (await wall.a.get("/api/v1/tables")).status_code == 502
        assert (await wall.b.get("/api/v1/tables")).status_code == 200
        reserved = await (await wall.attacker.execute("SHOW reserved_connections")).fetchone()
        assert reserved is not None
        assert int(reserved[0]) > 0
