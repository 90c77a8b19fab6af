"""What Airflow's sign-in asks: who somebody is, and whether they may still be there."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.deps import PlatformSessionDep, WiringDep
from api.deps_internal import InternalCaller
from api.errors import errors
from etlfabric_core.errors import Forbidden, NotFound, TooManyRequests, Unauthenticated
from etlfabric_core.services import operators
from etlfabric_core.specs.operators import Operator, OperatorSignIn

router = APIRouter(prefix="/internal/v1/operators", tags=["internal"], include_in_schema=False)


@router.post(
    "/sign-in",
    response_model=Operator,
    responses=errors(Unauthenticated, Forbidden, TooManyRequests),
)
async def sign_in(body: OperatorSignIn, caller: InternalCaller, wiring: WiringDep) -> Operator:
    """Whom these words let in."""
    secret = wiring.settings.jwt_secret.get_secret_value()
    return await operators.sign_in(wiring.sessions, wiring.throttle, body, secret=secret)


@router.get("/{user_id}", response_model=Operator, responses=errors(Unauthenticated, NotFound))
async def get(
    user_id: Annotated[int, Path(ge=1, le=2**62)],
    caller: InternalCaller,
    session: PlatformSessionDep,
    wiring: WiringDep,
) -> Operator:
    """What a user may operate now."""
    secret = wiring.settings.jwt_secret.get_secret_value()
    return await operators.get(session, user_id, secret=secret)
