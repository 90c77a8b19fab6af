"""What the parts of a stack find in their environment."""

from pathlib import Path

import pytest

from cli.stack import credentials
from cli.stack.environment import MARKER, TELEMETRY_OFF, Environment
from cli.stack.layout import Layout
from cli.stack.parts import parts
from etlfabric_core.files.storage import Storage
from etlfabric_core.settings import Settings


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    layout = Layout.from_environment({"ETLFABRIC_VAR": str(tmp_path / "a b")})
    layout.make_directories()
    return Environment(layout, credentials.ensure(layout.secrets_file))


@pytest.fixture
def service(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in environment.service().items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_the_service_can_start_with_it(service: Settings) -> None:
    assert len(service.key_ring().all()) == 1
    assert service.database_url.get_secret_value().startswith(
        "postgresql+asyncpg://etlfabric_service:"
    )
    assert service.airflow_url == "http://127.0.0.1:8080"


def test_uploads_lie_below_var_also_in_a_path_with_a_space(
    service: Settings, environment: Environment
) -> None:
    where = Path(Storage(service.storage_url).path("x"))
    assert where == environment.layout.var / "storage" / "x"


@pytest.mark.parametrize("component", [None, "scheduler", "dag-processor"])
def test_nothing_calls_home(environment: Environment, component: str | None) -> None:
    for settings in (environment.service(), environment.airflow_process(component)):
        assert TELEMETRY_OFF.items() <= settings.items()


def test_settings_of_other_installations_do_not_leak_in(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = {"AIRFLOW__CORE__EXECUTOR": "x", "PGPASSWORD": "x", "ETLFABRIC_JWT_SECRET": "x"}
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    for settings in (environment.service(), environment.airflow_process()):
        assert "x" not in {settings.get(name) for name in foreign}


@pytest.mark.feature("A16")
def test_airflow_holds_no_key_of_the_service(environment: Environment) -> None:
    airflow = set(environment.airflow_process().values())
    names = ("audit_keys", "jwt_secret", "postgres_password", "warehouse_password")
    secrets = [environment.secrets[name] for name in names]
    for secret in (*secrets, environment.layout.keys_file.read_text().strip()):
        assert not any(secret in value for value in airflow)


def test_what_an_operator_evaluates_carries_no_mark(environment: Environment) -> None:
    assert MARKER not in environment.airflow()
    assert MARKER in environment.airflow_process()


def test_one_part_at_a_time_writes_airflows_own_roles(environment: Environment) -> None:
    """Two at once write the same permission, and the second one of them dies of it."""
    found = {part.name: part for part in parts(environment)}
    assert found["airflow-accounts"].is_job
    assert "airflow-accounts" in found["api-server"].after
