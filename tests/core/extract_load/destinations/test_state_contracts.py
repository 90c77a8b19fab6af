"""What is asked of SQL systems that no test can start, to see and to change a pipeline's state."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlglot

from etlfabric_core.connectors import CONNECTORS
from etlfabric_core.connectors.loading import LoadAbility
from etlfabric_core.extract_load.destinations import MODULES, module_of
from etlfabric_core.extract_load.destinations.sql.ledger import Ledger
from etlfabric_core.extract_load.destinations.sql.states import SqlVersions
from etlfabric_core.extract_load.destinations.states import Kept
from etlfabric_core.extract_load.destinations.writer import Writer
from etlfabric_core.extract_load.isolation import isolated
from tests.core.connectors.test_sql_contracts import endpoint
from tests.core.extract_load.destinations.test_destination_contracts import CLICKHOUSE

pytestmark = pytest.mark.feature("B5", "X4")

DIALECTS = {
    "mssql": ("tsql", "pymssql"),
    "clickhouse": ("clickhouse", "clickhouse_driver"),
    "redshift": ("redshift", "psycopg2"),
    "snowflake": ("snowflake", "snowflake.connector"),
    "bigquery": ("bigquery", "google.cloud.bigquery"),
}
FORMER = Kept.of("1.5", "", 1, "h", datetime(2026, 1, 1, tzinfo=UTC))
ROW = {
    "version": 2,
    "engine_version": 4,
    "pipeline_name": "flights",
    "state": "x",
    "created_at": datetime(2026, 1, 2, tzinfo=UTC),
    "version_hash": "h",
    "_dlt_load_id": "1.6",
    "_dlt_id": "i",
}


@pytest.mark.parametrize("name", MODULES)
def test_abilities_are_those_of_the_code(name: str) -> None:
    loading, module = CONNECTORS[name].loading, module_of(name)
    assert loading is not None
    assert (LoadAbility.STATE in loading.abilities) == hasattr(module, "STATE_STORE")
    writing = getattr(module, "WRITING", None)
    if writing is not None:
        able = writing.inserted is not None and bool(writing.time_type)
        assert (LoadAbility.DELETES in loading.abilities) == able


@pytest.mark.parametrize("name", DIALECTS)
def test_it_is_asked_in_the_system_s_own_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dialect, driver = DIALECTS[name]
    pytest.importorskip(driver)
    writing, asked = module_of(name).WRITING, []
    with isolated(1):
        place = CLICKHOUSE if name == "clickhouse" else endpoint(name)
        ledger = Ledger.of(place, writing, Writer("flights", "demo_raw", 1))
        client = ledger.client
        names = [ledger.name(table) for table in ("_dlt_pipeline_state", "_dlt_loads")]

        def execute_sql(statement: str, *values: Any) -> list[tuple[str, str]]:
            asked.append((statement, values))
            return [("flights", "h")]

        @contextmanager
        def execute_query(statement: str, *values: Any) -> Iterator[Any]:
            asked.append((statement, values))
            yield SimpleNamespace(fetchmany=lambda most: [])

        monkeypatch.setattr(client.sql_client, "execute_sql", execute_sql)
        monkeypatch.setattr(client.sql_client, "execute_query", execute_query)
        monkeypatch.setattr(client, "get_storage_table", lambda table: (True, {}))
        versions = SqlVersions(ledger, writing)
        assert versions.newest(10) == []
        versions.add(ROW, FORMER)
    read, state, former, load = asked
    assert all(name in read[0] for name in names)
    if name == "clickhouse":  # its reader is told the same name
        loading = CONNECTORS[name].loading
        assert loading is not None
        assert loading.source(place, "demo_raw", "_dlt_loads") in names[1]
    assert (names[0] in state[0], names[1] in load[0]) == (True, True), "the load comes last"
    assert load[1][:3] == ("1.6", "flights", 0)
    assert former[1] == ("1.5",)
    for statement, values in asked:
        assert statement.count("%s") == len(values)
        sqlglot.parse_one(statement.replace("%s", "1"), dialect=dialect)
