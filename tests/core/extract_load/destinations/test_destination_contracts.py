"""What dlt is asked to do at systems that no test can start: where to, as whom, in which types."""

import json
from importlib.util import find_spec
from typing import Any

import pytest

from etlfabric_core.connectors import CONNECTORS
from etlfabric_core.connectors.record import Direction
from etlfabric_core.errors import InvalidConfig
from etlfabric_core.extract_load import destinations
from etlfabric_core.extract_load.destinations import (
    bigquery,
    clickhouse,
    duckdb,
    mssql,
    mysql,
    redshift,
    snowflake,
)
from etlfabric_core.extract_load.destinations.sql.client import plain
from etlfabric_core.extract_load.destinations.sql.ledger import LEDGER, ledger_schema
from etlfabric_core.extract_load.isolation import isolated
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.source_table import SourceColumn
from etlfabric_core.extract_load.typed import typed
from tests.core.connectors.test_sql_contracts import ADDRESS, PASSWORD, SERVICE_ACCOUNT, endpoint
from tests.destinations import load_plan
from tests.loading import Holder, csv_source

MODULES = {
    "bigquery": bigquery,
    "clickhouse": clickhouse,
    "duckdb": duckdb,
    "mssql": mssql,
    "mysql": mysql,
    "redshift": redshift,
    "snowflake": snowflake,
}
needs_clickhouse = pytest.mark.skipif(
    find_spec("clickhouse_driver") is None, reason="needs etlfabric[clickhouse]"
)
needs_mssql = pytest.mark.skipif(find_spec("pymssql") is None, reason="needs etlfabric[mssql]")


def made(name: str) -> Any:
    with isolated(1000):
        return plain(endpoint(name), MODULES[name].WRITING)


@pytest.mark.feature("B5")
def test_every_destination_has_a_way_to_be_loaded_into() -> None:
    able = {name for name, one in CONNECTORS.items() if Direction.DESTINATION in one.directions}
    assert set(destinations.MODULES) == able
    assert all((CONNECTORS[name].loading is not None) == (name in able) for name in CONNECTORS)


@pytest.mark.feature("B5")
@pytest.mark.parametrize(
    "name", ["bigquery", "clickhouse", "duckdb", "redshift", "snowflake", "mysql"]
)
def test_no_strategy_is_offered_that_dlt_has_not(name: str) -> None:
    loading = CONNECTORS[name].loading
    assert loading is not None
    with isolated(1000):
        able = MODULES[name].WRITING.factory()()._raw_capabilities().supported_merge_strategies
    assert {strategy.value for strategy in loading.strategies} <= set(able)


@pytest.mark.feature("B5")
def test_redshift_is_reached_at_the_checked_address() -> None:
    credentials = made("redshift").config_params["credentials"]
    assert (credentials.host, credentials.username) == ("db.example.com", "u@v:w")
    assert (credentials.password, credentials.database) == (PASSWORD, "d/x?y")
    assert (credentials.query["hostaddr"], credentials.query["sslmode"]) == (ADDRESS, "verify-full")
    assert f"hostaddr={ADDRESS}" in credentials.to_native_representation()


@pytest.mark.feature("B5")
def test_snowflake_is_told_account_key_and_place() -> None:
    credentials = made("snowflake").config_params["credentials"]
    told = credentials.to_connector_params()
    assert (told["account"], told["user"], told["database"]) == ("org-acc", "u@v", "d/x")
    assert (told["warehouse"], told["application"]) == ("w", "etlfabric")
    assert told["private_key"]
    assert not told.get("password")


@pytest.mark.feature("B5")
def test_bigquery_uses_of_the_key_only_who_calls() -> None:
    destination = made("bigquery")
    credentials = destination.config_params["credentials"]
    assert credentials.client_email == SERVICE_ACCOUNT["client_email"]
    assert credentials.token_uri == "https://oauth2.googleapis.com/token"
    shown = json.dumps(dict(credentials), default=str)
    assert "169.254.169.254" not in shown
    assert "evil.example" not in shown
    assert destination.config_params["project_id"] == "my-project"


@pytest.mark.feature("B5")
@needs_mssql
def test_sql_server_connects_to_the_checked_address(monkeypatch: pytest.MonkeyPatch) -> None:
    import pymssql

    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(pymssql, "connect", lambda **given: asked.append(given))
    mssql._open(endpoint("mssql"))
    assert [(one["server"], one["password"]) for one in asked] == [(ADDRESS, PASSWORD)]
    engine = made("mssql").config_params["credentials"]
    assert PASSWORD not in engine.url.render_as_string(hide_password=False)


@pytest.mark.feature("B5")
def test_sql_server_keeps_microseconds_zones_and_the_case_of_keys() -> None:
    from sqlalchemy.dialects.mssql import dialect

    from etlfabric_core.extract_load.destinations.mssql_types import LosslessTypeMapper

    mapper = LosslessTypeMapper(capabilities=None, dialect=dialect())

    def ddl(column: dict[str, Any]) -> str:
        return str(mapper.to_destination_type(column, {}).compile(dialect=dialect()))

    assert ddl({"data_type": "timestamp", "timezone": True}) == "DATETIMEOFFSET(6)"
    assert ddl({"data_type": "timestamp", "timezone": False}) == "DATETIME2(6)"
    assert ddl({"data_type": "decimal", "precision": 38, "scale": 9}) == "NUMERIC(38, 9)"
    assert ddl({"data_type": "text"}) == "NVARCHAR(max) COLLATE Latin1_General_100_BIN2"
    assert ddl({"data_type": "binary"}) == "VARBINARY(max)"


CLICKHOUSE = Endpoint(
    connector="clickhouse",
    config={"host": "db.example.com", "database": "d"},
    secrets={"password": PASSWORD},
    addresses=(ADDRESS, "198.51.100.8"),
)


@pytest.mark.feature("B5")
@needs_clickhouse
def test_clickhouse_connects_to_the_checked_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    import clickhouse_driver

    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(clickhouse_driver, "connect", lambda **given: asked.append(given))
    with isolated(1000):
        destination = plain(CLICKHOUSE, clickhouse.WRITING)
        config = destination.spec()._bind_dataset_name("demo_raw", LEDGER)
        client = destination.client(ledger_schema(), config)
    client.sql_client.open_connection()
    (one,) = asked
    assert (one["host"], one["alt_hosts"], one["port"]) == (ADDRESS, "198.51.100.8", 9440)
    assert (one["server_hostname"], one["secure"], one["verify"]) == ("db.example.com", True, True)
    assert one["password"] == PASSWORD


DECIMAL = SourceColumn("v", "string", "numeric(38,9)")
LOCAL = SourceColumn("v", "string", "timestamp without time zone")
ZONED = SourceColumn("v", "timestamp")
# What is asked for at each system; what it cannot hold as it is goes there as text.
WORDS = {
    "mssql": ("numeric(38,9)", "timestamp", "timestamp with time zone"),
    "redshift": ("numeric(38,9)", "timestamp", "timestamp with time zone"),
    "clickhouse": ("numeric(38,9)", "timestamp", "timestamp with time zone"),
    "snowflake": ("numeric(38,9)", "timestamp", "timestamp with time zone"),
    "bigquery": ("text", "text", "timestamp with time zone"),
    "mysql": ("numeric(38,9)", "timestamp", "timestamp"),
    "duckdb": ("numeric(38,9)", "timestamp", "timestamp with time zone"),
}


@pytest.mark.feature("B5")
@pytest.mark.parametrize("name", WORDS)
def test_columns_hold_their_values_or_are_text(name: str) -> None:
    holds = MODULES[name].WRITING.holds
    assert tuple(typed(one, holds).word for one in (DECIMAL, LOCAL, ZONED)) == WORDS[name]


class Away:
    """A destination whose driver is not there."""

    def __init__(self, name: str) -> None:
        self.name = name

    def endpoint(self) -> Any:
        return endpoint(self.name)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError


@pytest.mark.feature("B5")
@pytest.mark.parametrize("name", ["mssql", "snowflake", "bigquery"])
def test_a_missing_driver_is_told_with_the_command_that_installs_it(name: str) -> None:
    module, extra = MODULES[name].WRITING.driver or ("", "")
    try:
        there = find_spec(module) is not None
    except ModuleNotFoundError:
        there = False
    if there:
        pytest.skip(f"etlfabric[{extra}] is installed")
    plan = load_plan(Away(name), csv_source({}), {"name": "t"})
    with pytest.raises(InvalidConfig) as told, destinations.open_destination(plan, Holder()):
        pass
    assert told.value.hint == f"the operator can install it: pip install 'etlfabric[{name}]'"
