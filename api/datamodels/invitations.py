"""Bodies of invitations."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr

from api.datamodels.auth import Email
from api.datamodels.base import Answer, Body, Name
from etlfabric_core.access.passwords import MAX_LENGTH
from etlfabric_core.access.permissions import Role

Token = Annotated[SecretStr, Field(min_length=1, max_length=128)]


class InvitationIn(Body):
    """Whom to invite, and the role to have."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"email": "grace@example.com", "role": "editor"}]},
    )

    email: Email
    role: Role


class InviterOut(Answer):
    """Who invited."""

    id: int
    name: str
    email: str


class InvitationOut(Answer):
    """An invitation that was neither accepted nor revoked."""

    id: int
    email: str
    role: Role
    invited_by: InviterOut | None = Field(description="Null when that person has left.")
    created_at: datetime
    expires_at: datetime
    mailed: bool
    link: str | None = Field(
        description="For you to pass on, where no mail server is set; shown this once."
    )


class InvitationLookIn(Body):
    """The token of an invitation's link."""

    token: Token


class InvitingOrganizationOut(Answer):
    """Where the invitation leads."""

    name: str
    slug: str


class InvitationLookOut(Answer):
    """What the invited person sees before accepting."""

    organization: InvitingOrganizationOut
    email: str
    role: Role
    expires_at: datetime
    has_account: bool


class InvitationAcceptIn(Body):
    """A new account needs a name and a password; an existing one its password, or no body but the
    token from a caller who is signed in with the invited address.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"token": "…", "name": "Grace", "password": "correct horse battery"}]
        },
    )

    token: Token
    name: Name | None = None
    password: Annotated[SecretStr, Field(max_length=MAX_LENGTH)] | None = None
