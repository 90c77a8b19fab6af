"""Guards of the platform's own routes: people who run the installation, whatever organization they
are signed in to.
"""

from typing import Annotated

from fastapi import Depends

from api.deps import PersonDep, PlatformSessionDep
from etlfabric_core.access.permissions import PlatformRole
from etlfabric_core.access.principal import Principal
from etlfabric_core.services import platform


class RequiresPlatform:
    """A guard: the caller must be a person with the platform role, or the one above it."""

    def __init__(self, role: PlatformRole) -> None:
        self.role = role

    async def __call__(self, principal: PersonDep, session: PlatformSessionDep) -> Principal:
        """The principal.

        Raises:
            Forbidden: 403, for everybody else.
        """
        await platform.require(session, principal, self.role)
        return principal


PlatformOperator = Annotated[Principal, Depends(RequiresPlatform(PlatformRole.OPERATOR))]
PlatformOwner = Annotated[Principal, Depends(RequiresPlatform(PlatformRole.OWNER))]
