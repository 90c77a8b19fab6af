"""The sign-on providers that the operator has configured, as data."""

from etlfabric_core.access.sign_on import github, openid
from etlfabric_core.access.sign_on.provider import Provider
from etlfabric_core.access.sign_on.saml import SamlProvider
from etlfabric_core.errors import NotFound
from etlfabric_core.settings import Settings

GOOGLE = "https://accounts.google.com"


Known = Provider | SamlProvider


def configured(settings: Settings) -> dict[str, Known]:
    """By name; one without a client id is not configured."""
    github_url = settings.github_url.rstrip("/")
    github_metadata = github.metadata(github_url)
    known = (
        Provider(
            name="google",
            label="Google",
            issuer=GOOGLE,
            client_id=settings.google_client_id,
            client_secret=settings.google_client_secret,
            scope="openid email profile",
            identify=openid.identify,
        ),
        Provider(
            name="github",
            label="GitHub",
            issuer=github_metadata["issuer"],
            client_id=settings.github_client_id,
            client_secret=settings.github_client_secret,
            scope="read:user user:email",
            identify=github.identify,
            metadata=github_metadata,
        ),
        Provider(
            name="oidc",
            label=settings.oidc_label,
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id if settings.oidc_issuer else "",
            client_secret=settings.oidc_client_secret,
            scope="openid email profile",
            identify=openid.identify,
        ),
    )
    found: dict[str, Known] = {provider.name: provider for provider in known if provider.client_id}
    if settings.saml_issuer:
        found["saml"] = SamlProvider(
            name="saml",
            label=settings.saml_label,
            entity_id=settings.saml_issuer,
            sign_on_url=settings.saml_sign_on_url,
            certificate=settings.saml_certificate,
            vouches=settings.saml_vouches_for_email,
        )
    return found


def named(settings: Settings, name: str) -> Known:
    """The configured provider of that name.

    Raises:
        NotFound: there is none.
    """
    provider = configured(settings).get(name)
    if provider is None:
        raise NotFound(f"there is no sign-on provider '{name}'", hint="see /auth/providers")
    return provider
