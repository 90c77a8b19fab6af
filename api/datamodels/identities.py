"""Bodies of single sign-on: providers, and the identities of an account."""

from datetime import datetime

from pydantic import Field

from api.datamodels.base import Answer


class ProviderOut(Answer):
    """A provider that somebody can sign in with; its button leads to `/auth/sso/{name}/start`."""

    name: str
    label: str


class ProvidersOut(Answer):
    """What the sign-in page offers."""

    items: list[ProviderOut]
    mail: bool = Field(description="whether the service can send mail, such as a password reset")


class IdentityOut(Answer):
    """A way to sign in to the caller's account."""

    id: int
    provider: str
    email: str
    created_at: datetime


class IdentitiesOut(Answer):
    """All of them."""

    items: list[IdentityOut]


class LinkOut(Answer):
    """Where the browser goes to prove the identity that is to be linked."""

    url: str
