"""A model of sessions, tried against the real service with steps in any order.

The model knows three things of each session: whether it lives, which refresh token is its newest,
and which organization it is in. Whatever the order of the steps, the service agrees.
"""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar

import asyncpg
import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.settings import Settings
from tests.api.other_service import other_service, sign_in

PASSWORDS = ("three green parrots sing", "seven blue whales dive")
GRACE_S = 5
NUMBERS = count(1)


@dataclass
class Session:
    """What the model knows of one session."""

    access: str
    refresh: str
    organization: str
    living: bool = True
    used: list[str] = field(default_factory=list)


class Sessions(RuleBasedStateMachine):
    """One person in two organizations, with any number of sessions."""

    service: ClassVar[Settings]
    database: ClassVar[EmbeddedPostgres]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.sessions: list[Session] = []
        self.password = 0
        self.is_member = True  # of the second organization
        self.disabled = False
        self.run(self.begin())

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        """Waits for a step."""
        return self.loop.run_until_complete(step)

    async def begin(self) -> None:
        """Signs up, with a second organization, and signs in twice more."""
        service = await self.stack.enter_async_context(other_service(self.service))
        self.client = await self.stack.enter_async_context(service.client())
        self.admin = await asyncpg.connect(self.database.url("etlfabric"))
        number = next(NUMBERS)
        self.email = f"model{number}@example.com"
        self.slugs = (f"model{number}a", f"model{number}b")
        made = await self.client.post(
            "/api/v1/auth/register",
            json={
                "email": self.email,
                "password": PASSWORDS[0],
                "name": "Someone",
                "organization": self.slugs[0],
            },
        )
        tokens = made.json()
        self.keep(tokens)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        body = {"name": self.slugs[1]}
        other = await self.client.post("/api/v1/organizations", json=body, headers=bearer)
        assert other.status_code == 201, other.text
        self.membership = dict(
            await self.admin.fetchrow(
                "SELECT * FROM membership WHERE org_id = $1", other.json()["id"]
            )
        )
        for slug in self.slugs:
            answer = await sign_in(self.client, self.email, PASSWORDS[0], organization=slug)
            self.keep(answer.json())

    def keep(self, tokens: dict[str, Any]) -> None:
        """Remembers a new session."""
        self.sessions.append(
            Session(tokens["access_token"], tokens["refresh_token"], tokens["organization"]["slug"])
        )

    def teardown(self) -> None:
        self.run(self.end())
        self.loop.close()

    async def end(self) -> None:
        """Closes everything."""
        await self.admin.close()
        await self.stack.aclose()

    def chosen(self, number: int) -> Session:
        """One of the sessions."""
        return self.sessions[number % len(self.sessions)]

    def may_enter(self, organization: str) -> bool:
        """Whether the person may be in that organization now."""
        return not self.disabled and (self.is_member or organization == self.slugs[0])

    def post(self, path: str, **body: Any) -> httpx.Response:
        """The answer of a public route."""
        answer: httpx.Response = self.run(self.client.post(f"/api/v1/auth{path}", json=body))
        return answer

    def as_session(self, session: Session, method: str, path: str, **body: Any) -> httpx.Response:
        """The answer to a session."""
        headers = {"Authorization": f"Bearer {session.access}"}
        sent = self.client.request(method, f"/api/v1{path}", headers=headers, json=body or None)
        answer: httpx.Response = self.run(sent)
        return answer

    def renewed(self, session: Session, answer: httpx.Response) -> None:
        """Remembers the next tokens of a session."""
        tokens = answer.json()
        session.used.append(session.refresh)
        session.refresh, session.access = tokens["refresh_token"], tokens["access_token"]
        session.organization = tokens["organization"]["slug"]

    @rule(right=st.booleans(), second=st.booleans())
    def sign_in(self, right: bool, second: bool) -> None:
        password = PASSWORDS[self.password if right else 1 - self.password]
        slug = self.slugs[second]
        answer = self.run(sign_in(self.client, self.email, password, organization=slug))
        assert answer.status_code == (200 if right and self.may_enter(slug) else 401)
        if answer.status_code == 200:
            self.keep(answer.json())

    @rule(number=st.integers(0, 99))
    def refresh(self, number: int) -> None:
        session = self.chosen(number)
        answer = self.post("/refresh", refresh_token=session.refresh)
        good = session.living and self.may_enter(session.organization)
        assert answer.status_code == (200 if good else 401)
        if good:
            self.renewed(session, answer)

    @rule(number=st.integers(0, 99), second=st.booleans())
    def switch(self, number: int, second: bool) -> None:
        session, slug = self.chosen(number), self.slugs[second]
        answer = self.post("/switch", refresh_token=session.refresh, organization=slug)
        if not session.living:
            assert answer.status_code == 401
        elif self.may_enter(slug):
            self.renewed(session, answer)
            assert session.organization == slug
        else:
            assert answer.status_code == 404

    @precondition(lambda self: any(session.used for session in self.sessions))
    @rule(number=st.integers(0, 99), which=st.integers(0, 99), late=st.booleans())
    def replay(self, number: int, which: int, late: bool) -> None:
        candidates = [session for session in self.sessions if session.used]
        session = candidates[number % len(candidates)]
        token = session.used[which % len(session.used)]
        age = GRACE_S + 1 if late else 0
        self.run(self.set_age(token, age))
        began = time.monotonic()
        answer = self.post("/refresh", refresh_token=token)
        if time.monotonic() - began + age < GRACE_S and session.living:
            assert answer.status_code == 409  # another window: nothing changes
            return
        assert answer.status_code in ((401,) if late or not session.living else (401, 409))
        session.living = session.living and answer.status_code == 409

    async def set_age(self, token: str, seconds: int) -> None:
        """Makes it `seconds` ago that the token was used."""
        await self.admin.execute(
            "UPDATE refresh_token SET used_at = now() - $2 * interval '1 second' "
            "WHERE token_hash = sha256($1)",
            token.encode(),
            seconds,
        )

    @rule(number=st.integers(0, 99))
    def refresh_then_replay_late(self, number: int) -> None:
        """What a thief does; as one step, because chance seldom puts the two side by side."""
        session = self.chosen(number)
        if session in self.usable():
            self.refresh(number)
            self.run(self.set_age(session.used[-1], GRACE_S + 1))
            assert self.post("/refresh", refresh_token=session.used[-1]).status_code == 401
            session.living = False

    @rule(number=st.integers(0, 99), old=st.booleans())
    def sign_out(self, number: int, old: bool) -> None:
        session = self.chosen(number)
        token = session.used[0] if old and session.used else session.refresh
        assert self.post("/logout", refresh_token=token).status_code == 204
        session.living = False

    @precondition(lambda self: self.usable())
    @rule(number=st.integers(0, 99))
    def change_password(self, number: int) -> None:
        session = self.usable()[number % len(self.usable())]
        body = {"current": PASSWORDS[self.password], "new": PASSWORDS[1 - self.password]}
        answer = self.as_session(session, "POST", "/me/password", **body)
        assert answer.status_code == 204
        self.password = 1 - self.password
        for other in self.sessions:
            other.living = other is session

    @precondition(lambda self: self.usable())
    @rule(number=st.integers(0, 99))
    def sign_out_everywhere_else(self, number: int) -> None:
        session = self.usable()[number % len(self.usable())]
        assert self.as_session(session, "DELETE", "/me/sessions").status_code == 204
        for other in self.sessions:
            other.living = other is session

    @rule()
    def leave_or_come_back(self) -> None:
        self.is_member = not self.is_member
        self.run(self.set_membership())

    async def set_membership(self) -> None:
        """Takes the person out of the second organization, or back in."""
        if not self.is_member:
            await self.admin.execute("DELETE FROM membership WHERE id = $1", self.membership["id"])
            return
        await self.admin.execute(
            "INSERT INTO membership (id, org_id, user_id, role) OVERRIDING SYSTEM VALUE "
            "VALUES ($1, $2, $3, $4)",
            *(self.membership[name] for name in ("id", "org_id", "user_id", "role")),
        )

    @rule()
    def disable_or_enable(self) -> None:
        self.disabled = not self.disabled
        self.run(
            self.admin.execute(
                'UPDATE "user" SET deleted_at = CASE WHEN $2 THEN now() END WHERE email = $1',
                self.email,
                self.disabled,
            )
        )

    def usable(self) -> list[Session]:
        """The sessions that may ask for something now."""
        return [
            session
            for session in self.sessions
            if session.living and self.may_enter(session.organization)
        ]

    @invariant()
    def access_ends_with_the_session(self) -> None:
        usable = self.usable()
        for session in self.sessions:
            answer = self.as_session(session, "GET", "/me/sessions")
            assert answer.status_code == (200 if session in usable else 401)
            if session in usable:
                living = sum(one.living for one in self.sessions)
                items = answer.json()["items"]
                assert len(items) == living
                assert sum(item["current"] for item in items) == 1


def run_session_model(service: Settings, database: EmbeddedPostgres, *, examples: int) -> None:
    """Tries that many orders of steps."""
    machine = type("SessionsOfTest", (Sessions,), {"service": service, "database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
