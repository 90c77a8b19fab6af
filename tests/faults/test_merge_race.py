"""Organizations that merge same-named tables into the managed warehouse at the same moment.

Every load is a process of its own, as under Airflow: same dataset, table and pipeline names, eight
organizations. By default one round of few rows; `ETLFABRIC_MERGE_ROUNDS=10` is the long proof.
"""

import csv
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.extract_load.plan import Endpoint, LoadPlan
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.services import warehouse
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.slugs import warehouse_role
from migrations.bootstrap import bootstrap
from tests.api.conftest import PASSWORDS
from tests.faults.load_process import LoadProcess
from tests.loading import csv_source

ROUNDS = int(os.environ.get("ETLFABRIC_MERGE_ROUNDS", "1"))
ROWS = 300 if ROUNDS == 1 else 5_000
ORGS = tuple(f"race{number}" for number in range(1, 9))
PASSWORD = "password-of-the-race"
RESOURCE = {
    "name": "orders",
    "source": "orders.csv",
    "write_disposition": "merge",
    "primary_key": ["id"],
}
CHECKSUM = """
SELECT count(*), md5(string_agg(id || ':' || note, ',' ORDER BY id::bigint)) FROM {}_raw.orders
"""
LOADING = """
SELECT count(DISTINCT usename) FROM pg_stat_activity
WHERE usename LIKE 'org_race%' AND application_name LIKE 'etlfabric/%'
"""
STRANGERS = """
SELECT count(*) FROM {schema}.orders WHERE note NOT LIKE '{org} %'
"""


@pytest.fixture
async def managed(postgres: EmbeddedPostgres) -> AsyncIterator[Warehouse]:
    """The managed warehouse with the roles and schemas that the service makes."""
    bootstrap(postgres.url(), PASSWORDS)
    url = postgres.url("warehouse", "etlfabric_warehouse", PASSWORDS["warehouse"])
    made = Warehouse.from_url(url)
    for org in ORGS:
        await warehouse.provision(made, org, PASSWORD)
        await warehouse.ensure_dataset(made, org, "raw")
    yield made
    with psycopg.connect(postgres.url("warehouse"), autocommit=True) as admin:
        for org in ORGS:
            admin.execute(f"DROP OWNED BY {warehouse_role(org)} CASCADE".encode())
            admin.execute(f"DROP ROLE {warehouse_role(org)}".encode())


def load_plan(managed: Warehouse, org: str, files: dict[str, Path]) -> LoadPlan:
    """As the service plans it for the pipeline `orders` into the dataset `raw`."""
    destination = Endpoint(
        connector="postgres",
        config={
            "host": managed.host,
            "port": managed.port,
            "database": managed.database,
            "user": warehouse_role(org),
        },
        secrets={"password": PASSWORD},
        addresses=("127.0.0.1",),
    )
    return LoadPlan(
        pipeline=f"{org}_orders",
        source=csv_source(files),
        destination=destination,
        dataset=f"{org}_raw",
        config=PipelineConfig.model_validate({"resources": [RESOURCE]}),
    )


def orders(org: str, number: int) -> dict[int, str]:
    """What an organization brings in a round: half of it updates the round before."""
    first = number * ROWS // 2
    return {id: f"{org} round {number} row {id}" for id in range(first, first + ROWS)}


def written(folder: Path, rows: dict[int, str]) -> dict[str, Path]:
    folder.mkdir(parents=True)
    path = folder / "orders.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "note"), *rows.items()])
    return {"orders.csv": path}


def checksum(rows: dict[int, str]) -> tuple[int, str]:
    text = ",".join(f"{id}:{note}" for id, note in sorted(rows.items()))
    return len(rows), hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def asked(postgres: EmbeddedPostgres, statement: str) -> tuple[Any, ...]:
    with psycopg.connect(postgres.url("warehouse")) as admin:
        row = admin.execute(statement.encode()).fetchone()
    assert row is not None
    return row


def most_at_once(postgres: EmbeddedPostgres, running: list[LoadProcess]) -> int:
    """How many organizations were loading in the same moment, at the most."""
    most = 0
    while most < len(ORGS) and any(load.process.is_alive() for load in running):
        most = max(most, asked(postgres, LOADING)[0])
    return most


@pytest.mark.feature("A19", "X2")
def test_everybody_ends_with_exactly_the_own_rows(
    postgres: EmbeddedPostgres, managed: Warehouse, tmp_path: Path
) -> None:
    expected: dict[str, dict[int, str]] = {org: {} for org in ORGS}
    for number in range(ROUNDS):
        running = []
        for org in ORGS:
            rows = orders(org, number)
            expected[org] |= rows
            folder = tmp_path / org / str(number)
            files = written(folder, rows)
            plan = load_plan(managed, org, files)
            running.append(LoadProcess.start(plan, folder / "work", files, number + 1))
            running[-1].pause()
        for load in running:
            load.resume()
        assert most_at_once(postgres, running) == len(ORGS)
        assert [load.end()[0] for load in running] == ["done"] * len(ORGS)
        for org in ORGS:
            assert asked(postgres, CHECKSUM.format(org)) == checksum(expected[org]), (org, number)
    for org in ORGS:
        for schema in (f"{org}_raw", f"{org}_raw_staging"):
            assert asked(postgres, STRANGERS.format(schema=schema, org=org)) == (0,)
        loads = f"SELECT count(*) FROM {org}_raw._dlt_loads WHERE status = 0"
        assert asked(postgres, loads) == (ROUNDS,)
