"""What routes ask for in their signatures: settings, sessions, and who is calling.

A guard such as `ConnectionsWrite` is both the permission check and the principal. The organization
comes from the access token and from nowhere else.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.network import AllowList
from etlfabric_core.access.permissions import Permission
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.tokens import read_access
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import OpenSession, org_session, platform_session
from etlfabric_core.errors import Forbidden, Unauthenticated
from etlfabric_core.files.storage import Storage
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.services import members
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


def get_wiring(request: Request) -> Wiring:
    """The application's wiring."""
    wiring: Wiring = request.app.state.wiring
    return wiring


WiringDep = Annotated[Wiring, Depends(get_wiring)]

_BEARER = HTTPBearer(auto_error=False, description="Access token from /api/v1/auth/login")


async def get_principal(
    wiring: WiringDep,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Principal:
    """Who the access token names, with the role that the membership says right now.

    Raises:
        Unauthenticated: 401, no or no valid token, or no longer a member.
    """
    if bearer is None:
        raise Unauthenticated("you are not signed in", hint="send an access token as Bearer")
    identity = read_access(bearer.credentials, wiring.settings.jwt_secret.get_secret_value())
    async with org_session(wiring.sessions, identity.org_id) as session:
        return await members.principal(session, identity.user_id)


PrincipalDep = Annotated[Principal, Depends(get_principal)]


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
            raise Forbidden(
                f"your role '{principal.role}' lacks the permission '{self.permission}'",
                hint="ask an owner of the organization for another role",
            )
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


# scope="function": committed before the answer is sent, so that nobody is told of a row that a
# failing commit takes back.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
PlatformSessionDep = Annotated[AsyncSession, Depends(get_platform_session, scope="function")]
OpenSessionDep = Annotated[OpenSession, Depends(get_open_session)]

OrganizationRead = Annotated[Principal, Depends(Requires(Permission.ORGANIZATION_READ))]
OrganizationWrite = Annotated[Principal, Depends(Requires(Permission.ORGANIZATION_WRITE))]
MembersRead = Annotated[Principal, Depends(Requires(Permission.MEMBERS_READ))]
MembersWrite = Annotated[Principal, Depends(Requires(Permission.MEMBERS_WRITE))]
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
