"""The environment of each part of the stack, from its layout and its secrets."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from etlfabric_airflow.settings import airflow_environment, preload_environment

from cli.stack.layout import PROJECT, Layout
from cli.stack.postgres import EmbeddedPostgres

SERVICE_ACCOUNT = "etlfabric"
OPERATOR_ACCOUNT = "operator"
# Every process of a stack carries this; `down` finds by it what lost its parents.
MARKER = "ETLFABRIC_STACK"
TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}
# Settings of another Airflow or of another service on this machine are not for our processes.
FOREIGN = ("AIRFLOW", "DBT_", "PG")


@dataclass(frozen=True)
class Environment:
    """Environments of the parts. Values that the user set (`ETLFABRIC_…`) win."""

    layout: Layout
    secrets: Mapping[str, str]

    @property
    def postgres(self) -> EmbeddedPostgres:
        """The stack's own server; not started here."""
        return EmbeddedPostgres(
            self.layout.var / "postgres",
            self.layout.ports["postgres"],
            self.secrets["postgres_password"],
        )

    def migrations(self) -> dict[str, str]:
        """What `cli.stack.migrate` needs: the superuser, and the passwords of the roles."""
        passwords = {
            f"ETLFABRIC_BOOTSTRAP_{name.upper()}": self.secrets[secret]
            for name, secret in DATABASE_PASSWORDS.items()
        }
        return (
            self._base()
            | self.databases()
            | passwords
            | {"ETLFABRIC_BOOTSTRAP_ADMIN_URL": self.postgres.url()}
        )

    def service(self) -> dict[str, str]:
        """What the metadata service needs."""
        ours = self.databases() | {
            "ETLFABRIC_AIRFLOW_URL": self.layout.airflow_url,
            "ETLFABRIC_AIRFLOW_USERNAME": SERVICE_ACCOUNT,
            "ETLFABRIC_AIRFLOW_PASSWORD": self.secrets["airflow_service_password"],
            "ETLFABRIC_API_URL": self.layout.api_url,
            "ETLFABRIC_INTERNAL_TOKEN": self.secrets["internal_token"],
            "ETLFABRIC_ENCRYPTION_KEYS_FILE": str(self.layout.keys_file),
            "ETLFABRIC_AUDIT_KEYS": self.secrets["audit_keys"],
            "ETLFABRIC_JWT_SECRET": self.secrets["jwt_secret"],
            "ETLFABRIC_STORAGE_URL": str(self.layout.var / "storage"),
            "ETLFABRIC_DATABASES_DIR": str(self.layout.var / "databases"),
            "ETLFABRIC_WEB_DIR": str(PROJECT / "web" / "dist"),
        }
        chosen = {name: value for name, value in os.environ.items() if name in CHOOSABLE}
        return self._base() | ours | chosen

    def airflow(self, component: str | None = None) -> dict[str, str]:
        """What Airflow's processes need; `component` adds what only that one needs."""
        ours = airflow_environment(
            home=self.layout.var / "airflow",
            database_url=self.airflow_database_url(),
            port=self.layout.ports["airflow"],
            api_url=self.layout.api_url,
            internal_token=self.secrets["internal_token"],
            jwt_secret=self.secrets["airflow_jwt_secret"],
            secret_key=self.secrets["airflow_secret_key"],
            fernet_key=self.secrets["airflow_fernet_key"],
            work_dir=self.layout.var / "work",
            plugins_dir=PROJECT / "plugins",
        )
        return ours | TELEMETRY_OFF | preload_environment(component or "")

    def airflow_process(self, component: str | None = None) -> dict[str, str]:
        """The whole environment of one of Airflow's processes."""
        return self._base() | self.airflow(component)

    def databases(self) -> dict[str, str]:
        """URLs of the metadata database and the warehouse, each as the role that its user has."""
        server = self.postgres
        return {
            "ETLFABRIC_DATABASE_URL": server.url(
                "etlfabric",
                "etlfabric_service",
                self.secrets["service_password"],
                "postgresql+asyncpg",
            ),
            "ETLFABRIC_MIGRATION_DATABASE_URL": server.url(
                "etlfabric",
                "etlfabric_owner",
                self.secrets["owner_password"],
                "postgresql+psycopg",
            ),
            "ETLFABRIC_WAREHOUSE_URL": server.url(
                "warehouse", "etlfabric_warehouse", self.secrets["warehouse_password"]
            ),
        }

    def airflow_database_url(self) -> str:
        """URL of Airflow's own database."""
        return self.postgres.url(
            "airflow",
            "airflow",
            self.secrets["airflow_database_password"],
            "postgresql+psycopg2",
        )

    def _base(self) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name in EVERYWHERE or not name.startswith((*FOREIGN, "ETLFABRIC_"))
        }
        path = os.pathsep.join((str(PROJECT), str(PROJECT / "plugins")))
        return (
            inherited
            | TELEMETRY_OFF
            | {
                "PYTHONPATH": path,
                "PYTHONUNBUFFERED": "1",
                "SPT_NOENV": "1",  # Airflow's process titles would overwrite the mark
                MARKER: str(self.layout.var),
            }
        )


# What the person who starts a stack may say to all of its processes.
EVERYWHERE = frozenset({"ETLFABRIC_ALLOW_UNSANDBOXED_CODE"})
DATABASE_PASSWORDS = {
    "owner": "owner_password",
    "service": "service_password",
    "warehouse": "warehouse_password",
    "airflow": "airflow_database_password",
}
CHOOSABLE = frozenset(
    {
        "ETLFABRIC_ALLOWED_PRIVATE_HOSTS",
        "ETLFABRIC_CORS_ORIGINS",
        "ETLFABRIC_DATABASES_DIR",
        "ETLFABRIC_MAIL_FROM",
        "ETLFABRIC_ORGANIZATION_GRACE_DAYS",
        "ETLFABRIC_ORGANIZATION_POOL_SLOTS",
        "ETLFABRIC_PUBLIC_URL",
        "ETLFABRIC_RATE_LIMITS",
        "ETLFABRIC_UPLOAD_MAX_BYTES",
        "ETLFABRIC_SMTP_URL",
        "ETLFABRIC_STORAGE_URL",
        "ETLFABRIC_WEB_DIR",
    }
)
