"""The guard of /internal/v1: only Airflow's side, which holds the internal token, may enter."""

import secrets
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.deps import WiringDep
from etlfabric_core.errors import Unauthenticated

_BEARER = HTTPBearer(
    auto_error=False, scheme_name="InternalToken", description="ETLFABRIC_INTERNAL_TOKEN"
)


async def require_internal(
    wiring: WiringDep,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> None:
    """Lets the holder of the internal token pass. A user's access token is no such token.

    Raises:
        Unauthenticated: 401, no token or another one.
    """
    given = bearer.credentials if bearer else ""
    wanted = wiring.settings.internal_token.get_secret_value()
    # Compared as bytes in constant time: the time of the answer tells nothing of the token.
    if not secrets.compare_digest(given.encode(), wanted.encode()):
        raise Unauthenticated(
            "this route is for Airflow's side only",
            hint="ETLFABRIC_INTERNAL_TOKEN must be the same for the service and for Airflow",
            audited=bearer is not None,
        )


InternalCaller = Annotated[None, Depends(require_internal)]
