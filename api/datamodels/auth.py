"""Bodies of sign-up and sign-in."""

from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from api.datamodels.base import Answer, Body, Name
from api.datamodels.organization import OrganizationOut
from etlfabric_core.access.passwords import MAX_LENGTH, MIN_LENGTH
from etlfabric_core.access.permissions import Permission, Role

Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=r"^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f.]+$",
    ),
]
NewPassword = Annotated[SecretStr, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]


class RegisterIn(Body):
    """Makes a user and an organization that the user owns."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "email": "ada@example.com",
                    "password": "correct horse battery",
                    "name": "Ada",
                    "organization": "Acme",
                }
            ]
        },
    )

    email: Email
    password: NewPassword
    name: Name
    organization: Name


class LoginIn(Body):
    """`organization` is a slug; without it, the oldest membership."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"email": "ada@example.com", "password": "correct horse battery"}]
        },
    )

    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=254)]
    password: Annotated[SecretStr, Field(max_length=MAX_LENGTH)]
    organization: Annotated[str, StringConstraints(max_length=40)] | None = None


class RefreshIn(Body):
    """The refresh token, for callers without cookies."""

    refresh_token: Annotated[SecretStr, Field(max_length=128)] | None = None


class TokensOut(Answer):
    """`refresh_token` is null for the web interface, which has it in a cookie."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105
    expires_in: int = Field(description="seconds")
    refresh_token: str | None
    organization: OrganizationOut
    role: Role


class UserOut(Answer):
    """A person."""

    id: int
    email: str
    name: str


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
