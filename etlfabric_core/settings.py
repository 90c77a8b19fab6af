"""Settings, read once from the environment at the edge and handed down."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What the metadata service needs to know. Names in the environment carry `ETLFABRIC_`."""

    model_config = SettingsConfigDict(env_prefix="ETLFABRIC_", env_file=".env", extra="ignore")

    database_url: str = Field(
        description="Metadata database, as the service role, which owns no table."
    )
    migration_database_url: str = Field(
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
        min_length=32, description="What Airflow's side shows to /internal/v1."
    )
    encryption_keys: SecretStr = Field(
        min_length=44, description="Fernet keys, newest first, separated by commas."
    )
    jwt_secret: SecretStr = Field(min_length=32, description="Signs access tokens.")
    storage_url: str = Field(description="Uploads, dbt projects, manifests: an fsspec URL.")
    web_dir: Path = Field(Path("web/dist"), description="The built web interface.")
    allowed_private_hosts: str = Field(
        "", description="Private hosts or networks that connections may name, comma separated."
    )
    organization_pool_slots: int = Field(
        4, ge=1, description="Tasks of one organization that may run at the same time."
    )
    upload_max_bytes: int = Field(1 << 30, description="The largest accepted upload, in bytes.")
