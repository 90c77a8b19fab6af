"""What routes ask for in their signatures: settings, sessions, and who is calling.

A guard such as `ConnectionsWrite` is both the permission check and the principal. The organization
comes from the access token and from nowhere else.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.network import AllowList
from etlfabric_core.access.permissions import Permission
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.throttle import Rule, Throttle, network
from etlfabric_core.access.tokens import read_access
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import OpenSession, org_session, platform_session
from etlfabric_core.errors import Forbidden, Unauthenticated
from etlfabric_core.files.storage import Storage
from etlfabric_core.mail import Mailer
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.services import api_keys, principals
from etlfabric_core.services.probe import Prober
from etlfabric_core.services.run_events import RunFeeds
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.settings import Settings


@dataclass(frozen=True)
class Wiring:
    """What lives as long as the application, under `app.state.wiring`."""

    settings: Settings
    sessions: Sessions
    box: SecretBox
    storage: Storage
    warehouse: Warehouse
    orchestrator: AirflowClient
    run_feeds: RunFeeds
    allowed: AllowList
    mailer: Mailer
    throttle: Throttle


def get_wiring(request: Request) -> Wiring:
    """The application's wiring."""
    wiring: Wiring = request.app.state.wiring
    return wiring


WiringDep = Annotated[Wiring, Depends(get_wiring)]

_BEARER = HTTPBearer(
    auto_error=False, description="Access token from /api/v1/auth/login, or an API key"
)


Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


def get_address(request: Request) -> str | None:
    """The client's address, as uvicorn knows it: a proxy's word counts only where it is trusted."""
    return request.client.host if request.client else None


async def get_principal(request: Request, wiring: WiringDep, bearer: Bearer) -> Principal:
    """Whom the access token or API key names, with the role that the membership says right now.

    Raises:
        Unauthenticated: 401, no or no valid token, or no longer a member.
    """
    return await _principal(request, wiring, bearer, deleted_too=False)


PrincipalDep = Annotated[Principal, Depends(get_principal)]


async def get_person(request: Request, wiring: WiringDep, bearer: Bearer) -> Principal:
    """A person who is signed in; what belongs to a person is closed to API keys.

    Signed in to a deleted organization counts for its owners, who may restore it.

    Raises:
        Unauthenticated: 401, no or no valid token, or no longer a member.
        Forbidden: 403, the caller is an API key.
    """
    principal = await _principal(request, wiring, bearer, deleted_too=True)
    if principal.api_key_id is not None:
        raise Forbidden("an API key cannot do this", hint="sign in as a person")
    return principal


async def get_optional_person(
    request: Request, wiring: WiringDep, bearer: Bearer
) -> Principal | None:
    """A person who is signed in, or nobody.

    Raises:
        Unauthenticated: 401, there is a token, but no valid one.
        Forbidden: 403, the caller is an API key.
    """
    return await get_person(request, wiring, bearer) if bearer else None


async def _principal(
    request: Request,
    wiring: Wiring,
    bearer: HTTPAuthorizationCredentials | None,
    *,
    deleted_too: bool,
) -> Principal:
    """Raises TooManyRequests, 429: too many by this caller, or by all of its organization."""
    if bearer is None:
        raise Unauthenticated(
            "you are not signed in", hint="send an access token as Bearer", audited=False
        )
    try:
        principal = await _authenticate(wiring, bearer.credentials, deleted_too=deleted_too)
    except Unauthenticated:
        await wiring.throttle.admit(Rule.REFUSED_TOKEN, network(get_address(request)))
        raise
    request.state.principal = principal  # for the audit log, should the request be refused
    caller = ("key", principal.api_key_id) if principal.api_key_id else ("user", principal.user_id)
    await wiring.throttle.admit(Rule.REQUEST, *caller)
    await wiring.throttle.admit(Rule.ORGANIZATION_REQUEST, principal.org_id)
    return principal


async def _authenticate(wiring: Wiring, credentials: str, *, deleted_too: bool) -> Principal:
    if credentials.startswith(api_keys.PREFIX):
        return await api_keys.authenticate(wiring.sessions, credentials)
    identity = read_access(credentials, wiring.settings.jwt_secret.get_secret_value())
    async with org_session(wiring.sessions, identity.org_id) as session:
        return await principals.of_member(
            session, identity.user_id, identity.sid, deleted_too=deleted_too
        )


PersonDep = Annotated[Principal, Depends(get_person)]
# For `dependencies=` of a route that has a permission and is closed to API keys all the same.
BY_PERSON: Any = [Depends(get_person)]
OptionalPersonDep = Annotated[Principal | None, Depends(get_optional_person)]


class Requires:
    """A guard: the caller's role must have the permission."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, principal: PrincipalDep) -> Principal:
        """The principal.

        Raises:
            Forbidden: 403, the role lacks the permission.
        """
        if self.permission not in principal.permissions:
            key = principal.api_key_id is not None
            who = "this API key" if key else f"your role '{principal.role}'"
            what = "make a key with this scope" if key else "ask an owner for another role"
            raise Forbidden(f"{who} lacks the permission '{self.permission}'", hint=what)
        return principal


async def get_session(wiring: WiringDep, principal: PrincipalDep) -> AsyncIterator[AsyncSession]:
    """The request's one transaction, in the caller's organization."""
    async with org_session(wiring.sessions, principal.org_id) as session:
        yield session


async def get_platform_session(wiring: WiringDep) -> AsyncIterator[AsyncSession]:
    """A transaction of the platform itself; for sign-in and /internal/v1 only."""
    async with platform_session(wiring.sessions) as session:
        yield session


def get_open_session(wiring: WiringDep, principal: PrincipalDep) -> OpenSession:
    """For routes that wait on other systems: opens short transactions instead of one long."""
    return lambda: org_session(wiring.sessions, principal.org_id)


def get_prober(wiring: WiringDep, principal: PrincipalDep) -> Prober:
    """For routes that ask connectors about the outside world."""
    return Prober(
        principal.org_id,
        get_open_session(wiring, principal),
        wiring.storage,
        wiring.box,
        wiring.allowed,
        wiring.settings.databases_dir,
    )


# scope="function": committed before the answer is sent, so that nobody is told of a row that a
# failing commit takes back.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
PlatformSessionDep = Annotated[AsyncSession, Depends(get_platform_session, scope="function")]
OpenSessionDep = Annotated[OpenSession, Depends(get_open_session)]
ProberDep = Annotated[Prober, Depends(get_prober)]

OrganizationRead = Annotated[Principal, Depends(Requires(Permission.ORGANIZATION_READ))]
OrganizationWrite = Annotated[Principal, Depends(Requires(Permission.ORGANIZATION_WRITE))]
OrganizationDelete = Annotated[Principal, Depends(Requires(Permission.ORGANIZATION_DELETE))]
MembersRead = Annotated[Principal, Depends(Requires(Permission.MEMBERS_READ))]
MembersWrite = Annotated[Principal, Depends(Requires(Permission.MEMBERS_WRITE))]
ApiKeysRead = Annotated[Principal, Depends(Requires(Permission.API_KEYS_READ))]
ApiKeysWrite = Annotated[Principal, Depends(Requires(Permission.API_KEYS_WRITE))]
ApiKeysDelete = Annotated[Principal, Depends(Requires(Permission.API_KEYS_DELETE))]
AuditRead = Annotated[Principal, Depends(Requires(Permission.AUDIT_READ))]
ConnectionsRead = Annotated[Principal, Depends(Requires(Permission.CONNECTIONS_READ))]
ConnectionsWrite = Annotated[Principal, Depends(Requires(Permission.CONNECTIONS_WRITE))]
ConnectionsDelete = Annotated[Principal, Depends(Requires(Permission.CONNECTIONS_DELETE))]
UploadsRead = Annotated[Principal, Depends(Requires(Permission.UPLOADS_READ))]
UploadsWrite = Annotated[Principal, Depends(Requires(Permission.UPLOADS_WRITE))]
UploadsDelete = Annotated[Principal, Depends(Requires(Permission.UPLOADS_DELETE))]
WorkflowsRead = Annotated[Principal, Depends(Requires(Permission.WORKFLOWS_READ))]
WorkflowsWrite = Annotated[Principal, Depends(Requires(Permission.WORKFLOWS_WRITE))]
WorkflowsDelete = Annotated[Principal, Depends(Requires(Permission.WORKFLOWS_DELETE))]
WorkflowsPublish = Annotated[Principal, Depends(Requires(Permission.WORKFLOWS_PUBLISH))]
PipelinesRead = Annotated[Principal, Depends(Requires(Permission.PIPELINES_READ))]
PipelinesWrite = Annotated[Principal, Depends(Requires(Permission.PIPELINES_WRITE))]
PipelinesDelete = Annotated[Principal, Depends(Requires(Permission.PIPELINES_DELETE))]
TransformationsRead = Annotated[Principal, Depends(Requires(Permission.TRANSFORMATIONS_READ))]
TransformationsWrite = Annotated[Principal, Depends(Requires(Permission.TRANSFORMATIONS_WRITE))]
TransformationsDelete = Annotated[Principal, Depends(Requires(Permission.TRANSFORMATIONS_DELETE))]
SchedulesRead = Annotated[Principal, Depends(Requires(Permission.SCHEDULES_READ))]
SchedulesWrite = Annotated[Principal, Depends(Requires(Permission.SCHEDULES_WRITE))]
SchedulesDelete = Annotated[Principal, Depends(Requires(Permission.SCHEDULES_DELETE))]
RunsRead = Annotated[Principal, Depends(Requires(Permission.RUNS_READ))]
RunsExecute = Annotated[Principal, Depends(Requires(Permission.RUNS_EXECUTE))]
TablesRead = Annotated[Principal, Depends(Requires(Permission.TABLES_READ))]
TablesReveal = Annotated[Principal, Depends(Requires(Permission.TABLES_REVEAL))]
