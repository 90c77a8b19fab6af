"""The migrations make exactly the tables of the models, and go back."""

from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from cli.stack.ports import free_port
from cli.stack.postgres import FAST_AND_LOOSE, EmbeddedPostgres
from etlfabric_core.models import Base
from migrations.bootstrap import bootstrap
from migrations.upgrade import config, upgrade

PASSWORDS = {"service": "s", "owner": "o", "warehouse": "w", "airflow": "a"}


@pytest.fixture
def scratch(postgres: EmbeddedPostgres) -> str:
    """An empty database beside the service's; its URL as a superuser."""
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'etlfabric_service'")
        if not exists.fetchone():
            admin.execute("CREATE ROLE etlfabric_service")
        admin.execute("DROP DATABASE IF EXISTS scratch")
        admin.execute("CREATE DATABASE scratch")
    return postgres.url("scratch", driver="postgresql+psycopg")


def test_models_and_migrations_agree_and_go_back(scratch: str) -> None:
    upgrade(scratch)
    upgrade(scratch)
    engine = create_engine(scratch)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    command.downgrade(config(scratch), "base")
    with engine.connect() as connection:
        left = connection.dialect.get_table_names(connection, "public")
    engine.dispose()
    assert left == ["alembic_version"]


@pytest.mark.feature("A22")
def test_bootstrap_is_safe_to_repeat_and_sets_passwords_anew(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", free_port(), "super", settings=FAST_AND_LOOSE)
    server.start()
    try:
        bootstrap(server.url(), PASSWORDS)
        bootstrap(server.url(), PASSWORDS | {"service": "changed"})
        url = server.url("etlfabric", "etlfabric_service", "changed")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("etlfabric_service",)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url("airflow", "etlfabric_service", "changed"))
    finally:
        server.stop()
