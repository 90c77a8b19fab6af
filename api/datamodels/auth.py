"""Bodies of sign-up, sign-in, and of what is needed without being signed in."""

from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from api.datamodels.base import Answer, Body, Name
from api.datamodels.organization import OrganizationOut
from etlfabric_core.access.passwords import MAX_LENGTH, MIN_LENGTH
from etlfabric_core.access.permissions import Role

# ASCII alone: other letters could look like somebody else's address, or become one in lower case.
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
        pattern=rf"^{_LOCAL}(?:\.{_LOCAL})*@{_LABEL}(?:\.{_LABEL})+$",
    ),
]
NewPassword = Annotated[SecretStr, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)]
MailedToken = Annotated[SecretStr, Field(min_length=1, max_length=128)]
RefreshTokenIn = Annotated[SecretStr, Field(max_length=128)]
Slug = Annotated[str, StringConstraints(max_length=40)]


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
    organization: Slug | None = None


class RefreshIn(Body):
    """The refresh token, for callers without cookies."""

    refresh_token: RefreshTokenIn | None = None


class SwitchIn(Body):
    """The slug of the organization to go over to; the token, for callers without cookies."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"organization": "acme"}]}
    )

    organization: Slug
    refresh_token: RefreshTokenIn | None = None


class ForgotIn(Body):
    """Where the link goes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"email": "ada@example.com"}]}
    )

    email: Email


class ResetIn(Body):
    """The token of the link, and the password to have from now on."""

    token: MailedToken
    password: NewPassword


class VerifyIn(Body):
    """The token of the link."""

    token: MailedToken


class TokensOut(Answer):
    """`refresh_token` is null for the web interface, which has it in a cookie."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105
    expires_in: int = Field(description="seconds")
    refresh_token: str | None
    organization: OrganizationOut
    role: Role
