"""What ended or expired long ago is deleted; what somebody may still use or misuse stays."""

from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.access.tokens import opaque_hash
from etlfabric_core.services import forgetting
from tests.api.conftest import MakeOrg
from tests.api.other_service import sign_in

REFRESH = "/api/v1/auth/refresh"


async def test_what_ended_long_ago_goes_and_the_rest_stays(
    app: FastAPI, make_org: MakeOrg, client: httpx.AsyncClient, database: EmbeddedPostgres
) -> None:
    owner = await make_org()
    names = ("ended_long_ago", "ended", "expired_long_ago", "expired", "living")
    tokens = {name: await _token(await sign_in(client, owner.email)) for name in names}
    renewed = await _token(await _renew(client, tokens["living"]))
    admin = await asyncpg.connect(database.url("etlfabric"))
    logins = {
        name: await admin.fetchval(
            "SELECT login_id FROM refresh_token WHERE token_hash = $1", opaque_hash(token)
        )
        for name, token in tokens.items()
    }
    for name, days in (("ended_long_ago", 31), ("ended", 29)):
        await admin.execute(
            "UPDATE login SET ended_at = now() - make_interval(days => $2) WHERE id = $1",
            logins[name],
            days,
        )
    # Of the living login, only the token from before.
    for name, days in (("expired_long_ago", 31), ("expired", 29), ("living", 31)):
        await admin.execute(
            "UPDATE refresh_token SET expires_at = now() - make_interval(days => $2)"
            " WHERE token_hash = $1",
            opaque_hash(tokens[name]),
            days,
        )
    user = await admin.fetchval('SELECT id FROM "user" WHERE email = $1', owner.email)
    for number, days in enumerate((31, 29, -1)):
        await admin.execute(
            "INSERT INTO account_token (user_id, purpose, token_hash, expires_at)"
            " VALUES ($1, 'reset', $2, now() - make_interval(days => $3))",
            user,
            b"%d of %d" % (number, user),
            days,
        )
    audited = await admin.fetchval("SELECT count(*) FROM audit_entry")

    await forgetting.forget(app.state.wiring.sessions)
    await forgetting.forget(app.state.wiring.sessions)

    left = {row["id"] for row in await admin.fetch("SELECT id FROM login WHERE user_id = $1", user)}
    assert {name for name, id in logins.items() if id in left} == {"ended", "expired", "living"}
    kept = await admin.fetch(
        "SELECT token_hash FROM account_token WHERE user_id = $1 AND purpose = 'reset' ORDER BY id",
        user,
    )
    assert [row["token_hash"] for row in kept] == [b"%d of %d" % (n, user) for n in (1, 2)]
    assert await admin.fetchval("SELECT count(*) FROM audit_entry") == audited
    await admin.close()
    assert (await _renew(client, renewed)).status_code == 200
    assert (await owner.get("/api/v1/me")).status_code == 200
    assert (await _renew(client, tokens["expired"])).status_code == 401


async def _renew(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post(REFRESH, json={"refresh_token": token})


async def _token(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["refresh_token"]
