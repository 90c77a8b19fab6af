"""GitHub: OAuth 2 without an ID token; the person is read from its API."""

from etlfabric_core.access.sign_on.exchange import fetch, fetch_object
from etlfabric_core.access.sign_on.provider import (
    Document,
    Grant,
    Person,
    Refusal,
    SignOnRefused,
    make_person,
)

PUBLIC = "https://github.com"
API = {"Accept": "application/vnd.github+json"}


def metadata(url: str) -> Document:
    """The endpoints of github.com, or of an own GitHub Enterprise Server at `url`."""
    api = "https://api.github.com" if url == PUBLIC else f"{url}/api/v3"
    return {
        "issuer": f"{url}/login/oauth",
        "authorization_endpoint": f"{url}/login/oauth/authorize",
        "token_endpoint": f"{url}/login/oauth/access_token",
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "user_endpoint": f"{api}/user",
        "emails_endpoint": f"{api}/user/emails",
    }


async def identify(grant: Grant) -> Person:
    """The user of the access token, with the primary e-mail address.

    Raises:
        SignOnRefused: the API does not answer as it must.
    """
    headers = {**API, **grant.bearer()}
    user = await fetch_object(grant.client, grant.metadata["user_endpoint"], headers=headers)
    number = user.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise SignOnRefused(Refusal.FAILED, "GitHub names no user")
    emails = await fetch(grant.client, grant.metadata["emails_endpoint"], headers=headers)
    listed = [entry for entry in emails if isinstance(entry, dict)] if type(emails) is list else []
    primary = next((entry for entry in listed if entry.get("primary") is True), {})
    return make_person(
        grant.provider.issuer,
        subject=str(number),
        email=primary.get("email"),
        verified=primary.get("verified"),
        name=user.get("name") or user.get("login"),
    )
