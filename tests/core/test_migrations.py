"""The migrations make exactly the tables of the models, and go back."""

from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.types.json import Jsonb
from sqlalchemy import create_engine

from cli.stack.ports import free_port
from cli.stack.postgres import FAST_AND_LOOSE, EmbeddedPostgres
from etlfabric_core.graph.configs import PipelineConfig
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


OLD_COLUMNS = {"resources": [{"name": "t", "columns": {"at": "timestamp"}}, {"name": "u"}]}


def test_stored_columns_get_their_new_form_in_pipelines_and_revisions(scratch: str) -> None:
    """Published revisions run on: what they hold is rewritten too, and back again."""
    command.upgrade(config(scratch), "0006")
    url = scratch.replace("+psycopg", "")
    nodes = {
        "p": {"kind": "pipeline", "config": OLD_COLUMNS},
        "m": {"kind": "dbt_model", "config": {"sql": "select 1"}},
    }
    with psycopg.connect(url) as database:
        database.execute(
            "INSERT INTO organization (id, name, slug, warehouse_password) "
            "OVERRIDING SYSTEM VALUE VALUES (1, 'A', 'a', '')"
        )
        database.execute(
            "INSERT INTO workflow (id, org_id, name, slug, description) "
            "OVERRIDING SYSTEM VALUE VALUES (1, 1, 'Main', 'main', '')"
        )
        database.execute(
            "INSERT INTO revision (org_id, workflow_id, number, content_hash, spec, nodes, changes)"
            " VALUES (1, 1, 1, '', '{}', %s, '[]')",
            [Jsonb(nodes)],
        )
        for slug, node in nodes.items():
            database.execute(
                "INSERT INTO node (org_id, workflow_id, kind, name, slug, description, dataset, "
                "config, retries, version) VALUES (1, 1, %s, %s, %s, '', 'raw', %s, 5, 1)",
                [node["kind"], slug, slug, Jsonb(node["config"])],
            )
    columns = "config -> 'resources' -> 0 -> 'columns' -> 'at'"
    stored = (
        f"SELECT {columns} FROM node WHERE slug = 'p' "
        f"UNION ALL SELECT nodes -> 'p' -> {columns} FROM revision"
    ).replace("-> config", "-> 'config'")
    upgrade(scratch)
    with psycopg.connect(url) as database:
        assert database.execute(stored).fetchall() == [({"type": "timestamp"},)] * 2
        kept = database.execute("SELECT config FROM node WHERE slug = 'm'").fetchone()
        assert kept == (nodes["m"]["config"],)
        for (row,) in database.execute("SELECT config FROM node WHERE kind = 'pipeline'"):
            assert PipelineConfig.model_validate(row).resources[0].given_types == {
                "at": "timestamp"
            }
        forced = "SELECT relforcerowsecurity FROM pg_class WHERE relname IN ('node', 'revision')"
        assert database.execute(forced).fetchall() == [(True,), (True,)]
    command.downgrade(config(scratch), "0006")
    with psycopg.connect(url) as database:
        assert database.execute(stored).fetchall() == [("timestamp",)] * 2
