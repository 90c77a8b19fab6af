"""Whether the service is up, and whether it can work."""

from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.deps import WiringDep
from api.errors import errors
from etlfabric_core.db.scope import platform_session
from etlfabric_core.errors import TransientError

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses=errors(TransientError))
async def readyz(wiring: WiringDep) -> dict[str, str]:
    """The database answers too."""
    try:
        async with platform_session(wiring.sessions) as session:
            await session.execute(text("SELECT 1 FROM organization LIMIT 1"))
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise TransientError("the metadata database cannot be reached") from error
    return {"status": "ready"}
