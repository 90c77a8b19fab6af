"""Two transactions at once, in an order that a test decides by holding what one waits for."""

import asyncio

import asyncpg


async def until_waiting(admin: asyncpg.Connection, number: int) -> None:
    """Returns as soon as that many sessions of the service wait for a lock."""
    async with asyncio.timeout(20):
        while number > await admin.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND usename = 'etlfabric_service'"
        ):
            await asyncio.sleep(0.02)
