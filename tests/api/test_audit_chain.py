"""The chain of the audit log: whatever is changed behind the service's back, the check finds it."""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.audit_keys import AuditKeys
from etlfabric_core.db.engine import Sessions, make_engine, make_sessions
from etlfabric_core.db.scope import org_session, platform_session
from etlfabric_core.models import AuditEntry
from etlfabric_core.services import audit, audit_chain, audit_check
from etlfabric_core.services.audit_check import Head
from etlfabric_core.settings import Settings
from tests.api.audit_world import TAMPERINGS, Chains, Forger
from tests.api.conftest import MakeOrg

LENGTH, UNCHAINED = 40, 3
TRIALS = int(os.environ.get("ETLFABRIC_TAMPERINGS", "150"))


@pytest.fixture(scope="module")
async def owner(database: EmbeddedPostgres, settings: Settings) -> AsyncIterator[Sessions]:
    """Sessions of the database's superuser, who may read and write everything."""
    engine = make_engine(database.url("etlfabric"))
    yield make_sessions(engine, AuditKeys(settings.audit_keys.get_secret_value()))
    await engine.dispose()


@pytest.fixture(scope="module")
async def chains(app: FastAPI, owner: Sessions) -> Chains:
    """Two logs, both with entries from before there was a chain."""
    a, b = await _organization(owner, "tampereda"), await _organization(owner, "tamperedb")
    heads: list[dict[str, Any]] = []
    for number in range(LENGTH):
        for org_id in (a, b):
            await _note(app, org_id, number)
        async with owner() as session:
            found = await session.execute(
                text("SELECT * FROM audit_head WHERE org_id = :a"), {"a": a}
            )
            heads.append(dict(found.mappings().one()))
    return Chains(a, b, LENGTH, UNCHAINED, heads)


async def _organization(owner: Sessions, slug: str) -> int:
    async with owner.begin() as session:
        org_id = await session.scalar(
            text(
                "INSERT INTO organization (name, slug, warehouse_password) "
                "VALUES (:slug, :slug, '') RETURNING id"
            ),
            {"slug": slug},
        )
        entries = [("create", "organization", str(org_id)), ("login", "user", "7")]
        for action, kind, id in (*entries, ("create", "workflow", "1")):
            session.add(
                AuditEntry(org_id=org_id, action=action, resource_type=kind, resource_id=id)
            )
            await session.flush()
    return int(org_id)


async def _note(app: FastAPI, org_id: int, number: int) -> None:
    async with platform_session(app.state.wiring.sessions) as session:
        await audit.note(
            session,
            action="create",
            resource_type="connection",
            resource_id=str(number),
            org_id=org_id,
            user_id=number % 3 or None,
            new={"name": f"Größe {number}", "config": {"port": number, "ratio": number / 7}},
        )


@pytest.mark.feature("A15")
async def test_every_tampering_is_found(owner: Sessions, chains: Chains) -> None:
    async with owner() as session:
        whole = await audit_check.verify(session, chains.a)
        assert (whole.problem, whole.entries, whole.unchained) == (None, LENGTH, UNCHAINED)
    first = random.SystemRandom().randrange(1 << 32)
    for seed in range(first, first + TRIALS):
        tampering = TAMPERINGS[seed % len(TAMPERINGS)]
        async with owner() as session:
            forger = Forger(session, chains, seed)
            done = await tampering(forger)
            report = await audit_check.verify(session, chains.a, forger.expect)
            print(f"seed {seed}: {done} -> {report.problem}")
            assert not report.intact, f"seed {seed}: {done}"
            await session.rollback()
    async with owner() as session:
        assert (await audit_check.verify(session, chains.a)) == whole


@pytest.mark.feature("A15")
@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE audit_entry SET address = '1.2.3.4' WHERE number = 7", "entry 7 "),
        ("DELETE FROM audit_entry WHERE number = 7", "entry 7 is missing"),
        ("DELETE FROM audit_entry WHERE number BETWEEN 7 AND 9", "entry 7 is missing"),
        ("DELETE FROM audit_entry WHERE number > 30", "ends with entry 30"),
        ("UPDATE audit_entry SET number = NULL WHERE number = 9", "entry without number"),
        ("DELETE FROM audit_entry WHERE number IS NULL", "creation"),
        ("DELETE FROM audit_entry", "end is missing|creation|ends with entry 0"),
    ],
)
async def test_the_first_bad_entry_is_named(
    owner: Sessions, chains: Chains, statement: str, problem: str
) -> None:
    where = "AND" if "WHERE" in statement else "WHERE"
    async with owner() as session:
        await session.execute(text(f"{statement} {where} org_id = :a"), {"a": chains.a})
        report = await audit_check.verify(session, chains.a)
        await session.rollback()
    assert report.problem is not None
    assert any(one in report.problem for one in problem.split("|")), report.problem


async def test_a_noted_head_is_found_again(owner: Sessions, chains: Chains) -> None:
    async with owner() as session:
        for stored in chains.heads:
            head = Head(stored["number"], stored["hash"])
            again = Head.parse(str(head))
            assert (await audit_check.verify(session, chains.a, again)).intact
            other = Head(head.number, chains.heads[head.number - 2]["hash"])
            assert not (await audit_check.verify(session, chains.a, other)).intact


async def test_a_change_of_keys_continues_the_chain(
    owner: Sessions, chains: Chains, settings: Settings
) -> None:
    old = settings.audit_keys.get_secret_value()
    new = "the-next-key-of-the-audit-log-0123456789"

    async def verified(session: AsyncSession, keys: str) -> str | None:
        session.info["audit_keys"] = AuditKeys(keys)
        return (await audit_check.verify(session, chains.b)).problem

    async with owner() as session:
        session.info["audit_keys"] = AuditKeys(f"{new},{old}")
        await audit.note(session, action="x", resource_type="y", resource_id="1", org_id=chains.b)
        await session.commit()
        assert await verified(session, f"{new},{old}") is None
        assert "entry 1 " in str(await verified(session, new))
        assert f"entry {LENGTH + 1} " in str(await verified(session, old))
        # Whoever got hold of the old key cannot go on with it.
        session.info["audit_keys"] = AuditKeys(old)
        await audit.note(session, action="x", resource_type="y", resource_id="2", org_id=chains.b)
        await session.commit()
        assert "older key" in str(await verified(session, f"{new},{old}"))


@pytest.mark.feature("A15")
async def test_parallel_writers_make_one_chain(app: FastAPI, make_org: MakeOrg) -> None:
    owners = [await make_org(), await make_org()]
    wiring = app.state.wiring

    async def write(org_id: int, number: int) -> None:
        async with platform_session(wiring.sessions) as session:
            for other in (org_id, None, owners[number % 2].org_id):  # in any order: no deadlock
                await audit.note(
                    session,
                    action="x",
                    resource_type="y",
                    resource_id=str(number),
                    org_id=other,
                )

    await asyncio.gather(*(write(one.org_id, n) for n in range(20) for one in owners))
    for org_id in (owners[0].org_id, owners[1].org_id, None):
        opened = (
            platform_session(wiring.sessions)
            if org_id is None
            else org_session(wiring.sessions, org_id)
        )
        async with opened as session:
            report = await audit_check.verify(session, org_id)
        assert report.problem is None
        assert report.entries >= 40


async def test_entries_stand_and_fall_with_their_transaction(
    app: FastAPI, make_org: MakeOrg
) -> None:
    org = await make_org()
    sessions = app.state.wiring.sessions

    async def note(session: AsyncSession) -> None:
        await audit.note(session, action="x", resource_type="y", resource_id="1", org_id=org.org_id)

    async with sessions() as session:
        await note(session)
        await session.rollback()
        await session.commit()  # the same session goes on without what was rolled back
        async with session.begin_nested():
            with pytest.raises(RuntimeError, match="savepoint"):
                await note(session)
    async with org_session(sessions, org.org_id) as session:
        assert (await audit_check.verify(session, org.org_id)).entries == 2


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.dictionaries(st.sampled_from("abc"), JSON))
async def test_any_value_hashes_the_same_after_it_was_stored(
    owner: Sessions, values: dict[str, Any]
) -> None:
    async with owner() as session:
        found = await session.scalar(
            text("SELECT CAST(:values AS jsonb)"), {"values": json.dumps(values)}
        )
    entry = dict.fromkeys(audit_chain.FIELDS)
    before = audit_chain.entry_bytes(entry | {"new_values": values}, b"")
    assert audit_chain.entry_bytes(entry | {"new_values": found}, b"") == before


def test_every_column_is_hashed() -> None:
    assert {*audit_chain.FIELDS, "hash"} == set(AuditEntry.__table__.columns.keys())
