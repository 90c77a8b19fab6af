"""What a source cannot do is refused when a pipeline is saved, at the field that asks for it."""

from dataclasses import replace
from typing import Any

import pytest

from etlfabric_core.connectors import CONNECTORS
from etlfabric_core.connectors.record import Ability
from tests.api.test_workflow_graph import API, fields, main_workflow, pipeline_body, source

ASKED = {
    Ability.INCREMENTAL: "config.resources.0.cursor",
    Ability.ROW_FILTER: "config.resources.0.filters",
    Ability.TABLE_FILTER: "config.table_names",
    Ability.COUNT: "config.resources.0.verify_count",
}
CONFIG = {
    "mode": "full_database",
    "table_names": ["t.csv"],
    "resources": [
        {
            "name": "t",
            "source": "t.csv",
            "write_disposition": "replace",
            "verify_count": True,
            "cursor": {"column": "a"},
            "filters": [{"column": "b", "op": "eq", "value": 1}],
        }
    ],
}


@pytest.mark.feature("B11")
async def test_the_registry_shows_the_abilities_of_each_source(make_org: Any) -> None:
    client = await make_org()
    listed = (await client.get(f"{API}/registry/connectors")).json()
    shown = {one["name"]: one for one in listed}
    assert shown.keys() == CONNECTORS.keys()
    assert shown["mysql"]["abilities"] == ["count", "incremental", "row_filter", "table_filter"]
    assert "count" not in shown["csv"]["abilities"]
    assert (shown["mysql"]["extra"], shown["mssql"]["extra"]) == (None, "mssql")


@pytest.mark.feature("B11")
@pytest.mark.parametrize("lacking", list(Ability))
async def test_what_a_source_cannot_do_is_refused(
    make_org: Any, monkeypatch: pytest.MonkeyPatch, lacking: Ability
) -> None:
    client = await make_org()
    workflow, connection = await main_workflow(client), await source(client)
    body = pipeline_body(workflow, connection, config=CONFIG)
    able = CONNECTORS["csv"]
    others = frozenset(Ability) - {lacking}
    monkeypatch.setitem(CONNECTORS, "csv", replace(able, abilities=others))
    refused = await client.post(f"{API}/pipelines", json=body)
    assert refused.status_code == 422, refused.text
    assert fields(refused) == {ASKED[lacking]}
    monkeypatch.setitem(CONNECTORS, "csv", replace(able, abilities=frozenset(Ability)))
    made = await client.post(f"{API}/pipelines", json=body)
    assert made.status_code == 201, made.text
    monkeypatch.setitem(CONNECTORS, "csv", replace(able, abilities=frozenset()))
    changed = await client.patch(
        f"{API}/pipelines/{made.json()['id']}",
        json={"description": "x"},
        headers={"If-Match": str(made.json()["version"])},
    )
    assert fields(changed) == set(ASKED.values())
