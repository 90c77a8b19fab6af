"""Every destination that runs here, one after the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.destinations import Target, duckdb_target, mariadb_target
from tests.lakes import LakeTarget
from tests.mariadb import MariaDb, running_mariadb
from tests.s3_server import S3Server, s3_server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    with running_mariadb() as server:
        yield server


@pytest.fixture(params=["duckdb", "mariadb"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    if request.param == "duckdb":
        with duckdb_target(tmp_path / "databases") as made:
            yield made
    else:
        with mariadb_target(request.getfixturevalue("mariadb_server")) as made:
            yield made


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(params=["parquet", "delta"])
def lake(request: pytest.FixtureRequest, s3: S3Server) -> LakeTarget:
    if request.param == "delta":
        pytest.importorskip("deltalake", reason="needs etlfabric[delta]")
    return LakeTarget.new(s3, request.param)
