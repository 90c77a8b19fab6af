"""A real Airflow, configured as an installation is, and a stand-in for the metadata service."""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from etlfabric_airflow.settings import airflow_environment

ROOT = Path(__file__).parents[2]
HOME = Path(tempfile.mkdtemp(prefix="etlfabric-airflow-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

# Airflow reads its configuration when it is first imported.
os.environ.update(
    {
        name: value
        for name, value in airflow_environment(
            home=HOME,
            database_url="postgresql+psycopg2://nobody@127.0.0.1:1/none",  # never connected to
            port=8080,
            api_url="http://127.0.0.1:1",
            internal_token="i" * 32,
            jwt_secret="j" * 32,
            secret_key="s" * 32,
            fernet_key="",
            work_dir=HOME / "work",
            plugins_dir=ROOT / "plugins",
        ).items()
        if not name.startswith("ETLFABRIC_")
    }
)
sys.path.insert(0, str(Path(__file__).parent))

from metadata_stand_in import TOKEN, MetadataStandIn  # noqa: E402
from sample_project import Manifest, parse_project  # noqa: E402


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MetadataStandIn]:
    """The stand-in, running, with the environment pointing at it."""
    with MetadataStandIn() as stand_in:
        monkeypatch.setenv("ETLFABRIC_API_URL", stand_in.url)
        monkeypatch.setenv("ETLFABRIC_INTERNAL_TOKEN", TOKEN)
        monkeypatch.setenv("ETLFABRIC_WORK_DIR", str(tmp_path / "work"))
        yield stand_in


@pytest.fixture
def bundles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty bundle storage of the test's own; there is no database to make roles in."""
    from airflow.dag_processing.bundles import base
    from etlfabric_airflow import roles

    storage = tmp_path / "bundles"
    monkeypatch.setattr(base, "get_bundle_storage_root_path", lambda: storage)
    monkeypatch.setattr(roles, "ensure_organization", lambda _: None)
    return storage


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The manifest that dbt makes of a small project."""
    return parse_project(tmp_path_factory.mktemp("dbt_project"))


@pytest.fixture
def on_worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Says, as Airflow does on a worker, which DAG is about to run."""

    def about_to_run(dag_id: str) -> None:
        monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)

    return about_to_run
