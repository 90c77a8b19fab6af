"""`etlfabric keys` and `etlfabric audit` on a database, and the file of keys itself."""

import os
import stat
import threading
from pathlib import Path

import psycopg
import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from cli.main import app
from cli.operator import key_file
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.crypto import SecretBox
from etlfabric_core.errors import Conflict, InvalidConfig
from etlfabric_core.key_ring import KeyRing
from migrations.bootstrap import bootstrap
from migrations.upgrade import upgrade

PASSWORDS = {
    "service": "service-test-password",
    "owner": "owner-test-password",
    "warehouse": "warehouse-test-password",
    "airflow": "airflow-test-password",
}
CLI = CliRunner()


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"{Fernet.generate_key().decode()}\n")
    path.chmod(0o640)
    return path


@pytest.fixture
def installation(
    postgres: EmbeddedPostgres, keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> str:
    """A service's environment on a database of its own; its URL as a superuser."""
    bootstrap(postgres.url(), PASSWORDS)
    with psycopg.connect(postgres.url(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS operated")
        admin.execute("CREATE DATABASE operated OWNER etlfabric_owner")
    upgrade(postgres.url("operated", "etlfabric_owner", PASSWORDS["owner"]))
    service = postgres.url("operated", "etlfabric_service", PASSWORDS["service"])
    owner = postgres.url("operated", "etlfabric_owner", PASSWORDS["owner"])
    warehouse = postgres.url("warehouse", "etlfabric_warehouse", PASSWORDS["warehouse"])
    for name, value in {
        "DATABASE_URL": service,
        "MIGRATION_DATABASE_URL": owner,
        "WAREHOUSE_URL": warehouse,
        "AIRFLOW_PASSWORD": "airflow-account-password",
        "INTERNAL_TOKEN": os.urandom(24).hex(),
        "AUDIT_KEYS": os.urandom(24).hex(),
        "JWT_SECRET": os.urandom(24).hex(),
        "STORAGE_URL": str(tmp_path),
        "ENCRYPTION_KEYS_FILE": str(keys),
    }.items():
        monkeypatch.setenv(f"ETLFABRIC_{name}", value)
    monkeypatch.delenv("ETLFABRIC_ENCRYPTION_KEYS", raising=False)
    return postgres.url("operated")


def organization(url: str, keys: Path) -> int:
    """An organization with a sealed password, made past the service."""
    with psycopg.connect(url, autocommit=True) as admin:
        row = admin.execute(
            "INSERT INTO organization (name, slug, warehouse_password) VALUES ('A', 'acme', '') "
            "RETURNING id"
        ).fetchone()
        assert row
        sealed = SecretBox(KeyRing(path=keys)).seal(
            {"password": "x"}, org_id=row[0], field="organization.warehouse_password"
        )
        admin.execute("UPDATE organization SET warehouse_password = %s", [sealed])
    return int(row[0])


@pytest.mark.feature("A16")
def test_keys_are_shown_and_rotated(installation: str, keys: Path) -> None:
    org_id, old = organization(installation, keys), keys.read_text()
    before = CLI.invoke(app, ["keys", "status"])
    id = KeyRing(old).newest().id
    assert before.output.split() == [id, "seals", "and", "opens", "1", "secrets"]
    done = CLI.invoke(app, ["keys", "rotate"])
    assert done.exit_code == 0, done.output
    assert keys.read_text() != old
    after = CLI.invoke(app, ["keys", "status"]).output.splitlines()
    assert len(after) == 1
    assert id not in after[0]
    assert stat.S_IMODE(keys.stat().st_mode) == 0o640  # who may read it stays as it was
    with psycopg.connect(installation) as admin:
        row = admin.execute("SELECT warehouse_password FROM organization").fetchone()
    assert row
    opened = SecretBox(KeyRing(path=keys)).open(
        row[0], org_id=org_id, field="organization.warehouse_password"
    )
    assert opened == {"password": "x"}
    # The platform's own log has the entry, and is whole.
    verified = CLI.invoke(app, ["audit", "verify", "--organization", "(platform)"])
    assert (verified.exit_code, verified.output[:28]) == (0, "(platform): whole. 1 entries")


@pytest.mark.feature("A15")
def test_a_changed_log_fails_the_check(installation: str, keys: Path) -> None:
    organization(installation, keys)
    for _ in range(2):
        assert CLI.invoke(app, ["keys", "rotate"]).exit_code == 0
    whole = CLI.invoke(app, ["audit", "verify", "--organization", "(platform)"])
    head = whole.output.split()[-1]
    checked = ["audit", "verify", "--organization", "(platform)", "--expect"]
    assert CLI.invoke(app, [*checked, head]).exit_code == 0
    with psycopg.connect(installation, autocommit=True) as admin:
        admin.execute("UPDATE audit_entry SET resource_id = 'other' WHERE number = 2")
    changed = CLI.invoke(app, [*checked, head])
    assert changed.exit_code == 1
    assert "(platform): entry 2 " in changed.output
    # An organization without an entry has lost its log; the others are checked all the same.
    everything = CLI.invoke(app, ["audit", "verify"])
    assert everything.exit_code == 1
    assert "acme: the record of the log's end is missing" in everything.output
    for arguments, word in (
        (["--organization", "nobody"], "there is no organization 'nobody'"),
        (["--expect", head], "the head of one log"),
        (["--organization", "acme", "--expect", "seven"], "not the head"),
    ):
        refused = CLI.invoke(app, ["audit", "verify", *arguments])
        assert (refused.exit_code, word in refused.output) == (1, True), refused.output


def test_the_file_is_replaced_as_a_whole(keys: Path) -> None:
    """A reader at any moment finds keys, the first of them one that was promoted."""
    over, torn = threading.Event(), []

    def read() -> None:
        while not over.is_set():
            try:
                KeyRing(path=keys)
            except ValueError as error:
                torn.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        key = key_file.add(keys)
        assert KeyRing(path=keys).newest().id != KeyRing(key).newest().id
        key_file.promote(keys, key)
        assert KeyRing(path=keys).newest().id == KeyRing(key).newest().id
        assert key_file.prune(keys) == 1
    over.set()
    reader.join()
    assert torn == []


def test_one_command_at_a_time_changes_the_keys(keys: Path) -> None:
    with (
        key_file.locked(keys),
        pytest.raises(Conflict, match="another command"),
        key_file.locked(keys),
    ):
        pass
    with key_file.locked(keys):
        pass


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match="gone"):
        key_file.add(tmp_path / "gone")
