"""What the service does by itself from time to time. Every process may do it, and repeat it."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.deps import Wiring
from etlfabric_core.services import forgetting, organization_purge, partial_uploads
from etlfabric_core.services.organization_purge import Holdings

INTERVAL_SECONDS = 3600
log = structlog.get_logger()


async def from_time_to_time(wiring: Wiring) -> None:
    """Does the chores once an hour, until it is cancelled."""
    while True:
        for chore in (_purge, _forget, _give_up_uploads):
            try:
                await chore(wiring)
            except (OSError, SQLAlchemyError) as error:
                log.error("chore_not_done", chore=chore.__name__, kind=type(error).__name__)
        await asyncio.sleep(INTERVAL_SECONDS)


def holdings(wiring: Wiring) -> Holdings:
    """Where organizations have something."""
    return Holdings(
        wiring.sessions,
        wiring.warehouse,
        wiring.storage,
        wiring.orchestrator,
        wiring.settings.databases_dir,
    )


async def _purge(wiring: Wiring) -> None:
    for org_id in await organization_purge.purge_expired(holdings(wiring)):
        log.info("organization_purged", org_id=org_id)


async def _forget(wiring: Wiring) -> None:
    await forgetting.forget(wiring.sessions)


async def _give_up_uploads(wiring: Wiring) -> None:
    await partial_uploads.forget_expired(wiring.sessions, wiring.storage)
