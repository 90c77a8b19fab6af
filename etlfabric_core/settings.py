"""Settings, read once from the environment at the edge and handed down."""

from pathlib import Path

from cryptography import x509
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from etlfabric_core.crypto import Cipher
from etlfabric_core.key_ring import KeyRing
from etlfabric_core.secret_strength import check_password, check_token, check_url_password

TOKENS = ("internal_token", "audit_keys", "jwt_secret")
SECRET_URLS = ("database_url", "migration_database_url", "warehouse_url")


class Settings(BaseSettings):
    """What the metadata service needs to know. Names in the environment carry `ETLFABRIC_`.

    A secret that is missing, known to everybody, easy to guess or used twice is refused.
    """

    model_config = SettingsConfigDict(
        env_prefix="ETLFABRIC_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,  # what is refused may be a secret all the same
    )

    database_url: SecretStr = Field(
        description="Metadata database, as the service role, which owns no table."
    )
    migration_database_url: SecretStr = Field(
        description="Metadata database, as the role that owns the tables (migrations only)."
    )
    warehouse_url: SecretStr = Field(
        description="Managed warehouse, as the role that makes roles and schemas."
    )
    airflow_url: str = Field("http://127.0.0.1:8080", description="Airflow's api-server.")
    airflow_username: str = Field("etlfabric", description="The service's account in Airflow.")
    airflow_password: SecretStr = Field(description="Its password.")
    api_url: str = Field("http://127.0.0.1:8000", description="Where this service is reached.")
    internal_token: SecretStr = Field(
        description="What Airflow's side shows to /internal/v1; at least 32 characters."
    )
    encryption_keys: SecretStr = Field(
        SecretStr(""), description="Fernet keys, the one that seals first, comma separated."
    )
    encryption_keys_file: Path | None = Field(
        None,
        validate_default=True,
        description="Instead: a file of such keys, one a line. Keys can be changed while we run.",
    )
    cipher: Cipher = Field("fernet", description="What seals secrets: fernet or aes-gcm.")
    audit_keys: SecretStr = Field(
        description="Secrets that the audit log is hashed with, newest first, comma separated.",
    )
    public_url: str = Field(
        "", description="Where browsers reach this service; by default `api_url`."
    )
    cors_origins: str = Field(
        "", description="Other origins whose pages may call the API, comma separated."
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="smtp://user:password@host:587 or smtps://…; empty: no mail, links are shown.",
    )
    mail_from: str = Field("ETL Fabric <etlfabric@localhost>", description="Sender of mail.")
    google_client_id: str = Field(
        "",
        description="Sign-in with Google: this service's id there. Its redirect URI is "
        "<public URL>/api/v1/auth/sso/google/callback.",
    )
    google_client_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    github_url: str = Field(
        "https://github.com", description="GitHub, or an own GitHub Enterprise Server."
    )
    github_client_id: str = Field(
        "",
        description="Sign-in with GitHub: this service's id there. Its redirect URI is "
        "<public URL>/api/v1/auth/sso/github/callback.",
    )
    github_client_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    oidc_issuer: str = Field("", description="Sign-in with an OpenID Connect provider: its URL.")
    oidc_client_id: str = Field(
        "",
        description="This service's id there. Its redirect URI is "
        "<public URL>/api/v1/auth/sso/oidc/callback.",
    )
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="Its secret.")
    oidc_label: str = Field("Single sign-on", description="What its button says.")
    rate_limits: dict[str, str] = Field(
        {},
        description='Other limits than the built-in ones, as JSON: {"register": "50/hour"}. Client '
        "addresses are counted: behind a proxy, start uvicorn with --forwarded-allow-ips naming "
        "that proxy, so that X-Forwarded-For is believed from there and from nowhere else.",
    )
    rate_limit_storage_url: str = Field(
        "memory://",
        description="Where the counts of several processes are shared, such as redis://host:6379.",
    )
    saml_issuer: str = Field("", description="Sign-in with SAML 2.0: the provider's entity id.")
    saml_sign_on_url: str = Field("", description="Where browsers sign in there.")
    saml_certificate: str = Field(
        "", validate_default=True, description="Its signing certificate, in PEM."
    )
    saml_label: str = Field("SAML", description="What its button says.")
    saml_vouches_for_email: bool = Field(
        False, description="Whether nobody can choose their own e-mail address at the provider."
    )
    organization_grace_days: int = Field(
        30, ge=0, description="How long a deleted organization can be restored, in days."
    )
    jwt_secret: SecretStr = Field(description="Signs access tokens; at least 32 random characters.")
    storage_url: str = Field(description="Uploads, dbt projects, manifests: an fsspec URL.")
    databases_dir: Path = Field(
        Path("var/databases"),
        validate_default=True,
        description="Databases that the service keeps for connections. Airflow's workers write "
        "them: they need the same folder at the same path.",
    )
    web_dir: Path = Field(Path("web/dist"), description="The built web interface.")
    allowed_private_hosts: str = Field(
        "", description="Private hosts or networks that connections may name, comma separated."
    )
    organization_pool_slots: int = Field(
        4, ge=1, description="Tasks of one organization that may run at the same time."
    )
    upload_max_bytes: int = Field(1 << 30, description="The largest accepted upload, in bytes.")

    def key_ring(self) -> KeyRing:
        """The encryption keys in force.

        Raises:
            ValueError: the file of keys is gone or holds none.
        """
        return KeyRing(self.encryption_keys.get_secret_value(), path=self.encryption_keys_file)

    @property
    def browser_url(self) -> str:
        """Where browsers reach the service, without a slash at the end."""
        return (self.public_url or self.api_url).rstrip("/")

    @field_validator(*TOKENS, "airflow_password", *SECRET_URLS)
    @classmethod
    def _is_strong(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        given = value.get_secret_value()
        if info.field_name in SECRET_URLS:
            check_url_password(given)
        elif info.field_name == "airflow_password":
            check_password(given)
        else:
            for token in given.split(","):
                check_token(token.strip())
        return value

    @field_validator(*TOKENS, "airflow_password", "encryption_keys")
    @classmethod
    def _is_used_once(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        for name, other in info.data.items():
            if value.get_secret_value() and other == value:
                raise ValueError(f"is the same secret as {name}: each needs its own")
        return value

    @field_validator("databases_dir")
    @classmethod
    def _means_one_place(cls, path: Path) -> Path:
        return path.absolute()

    @field_validator("saml_certificate")
    @classmethod
    def _completes_saml(cls, certificate: str, info: ValidationInfo) -> str:
        if info.data.get("saml_issuer"):
            if not info.data.get("saml_sign_on_url"):
                raise ValueError("saml_sign_on_url is needed as well")
            x509.load_pem_x509_certificate(certificate.encode())
        return certificate

    @field_validator("encryption_keys_file")
    @classmethod
    def _has_keys(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        keys: SecretStr | None = info.data.get("encryption_keys")
        if keys is None:  # it was refused, which is said already
            return path
        if bool(keys.get_secret_value()) == bool(path):
            raise ValueError("set either it or encryption_keys, and not both")
        KeyRing(keys.get_secret_value(), path=path)
        return path
