"""Bodies of what belongs to the person who is signed in."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr

from api.datamodels.auth import NewPassword
from api.datamodels.base import Answer, Body, Name
from api.datamodels.organization import OrganizationOut
from etlfabric_core.access.passwords import MAX_LENGTH
from etlfabric_core.access.permissions import Permission, Role


class UserOut(Answer):
    """A person."""

    id: int
    email: str
    name: str
    email_verified: bool
    has_password: bool = Field(description="false: signs in with a provider only")
    platform_role: str | None = Field(description="operator or owner of the whole installation")


class MembershipOut(Answer):
    """One organization of the caller."""

    organization: OrganizationOut
    role: Role


class MeOut(Answer):
    """Who is calling, and what the role allows."""

    user: UserOut
    organization: OrganizationOut
    role: Role
    permissions: list[Permission]
    memberships: list[MembershipOut]


class MePatch(Body):
    """The name that others see."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Ada Lovelace"}]}
    )

    name: Name


class PasswordIn(Body):
    """`current` is needed by everybody who has a password."""

    current: Annotated[SecretStr, Field(max_length=MAX_LENGTH)] | None = None
    new: NewPassword


class SessionOut(Answer):
    """One browser or command line that is signed in."""

    id: int
    method: str = Field(description="password, or the provider's name")
    address: str | None
    user_agent: str | None
    created_at: datetime
    last_used_at: datetime
    current: bool = Field(description="the one that asks")
    organization: OrganizationOut


class SessionsOut(Answer):
    """All of them, the last used one first."""

    items: list[SessionOut]
    next_cursor: str | None = None
