"""A load that waits for somebody, under Airflow: held, approved, retried, exact."""

import pytest

from tests.e2e.running import Account, Stack

pytestmark = [pytest.mark.stack]

FIRST = b"id,name\n1,Ada\n"
WIDER = b"id,name,born\n1,Ada,1815\n2,Grace,1906\n"


@pytest.mark.feature("C10")
def test_a_held_run_is_red_and_green_once_it_is_approved(stack: Stack) -> None:
    owner = stack.sign_up("holding")
    pipeline = owner.csv_pipeline("people", {"people": FIRST})
    owner.hold_changes(pipeline)
    owner.model("names", "select name from {{ source('raw', 'people') }}")
    owner.publish()
    assert owner.finished(owner.start())["state"] == "success"

    owner.replace_file(pipeline, "people.csv", WIDER)
    held = owner.finished(owner.start())
    assert held["state"] == "failed"
    states = {task["task_id"]: task for task in held["tasks"]}
    assert states["people"]["state"] == "failed"
    assert states["people"]["try_number"] == 1, "a retry would find the same"
    (result,) = [one for one in held["results"] if one["node"] == "people"]
    assert "held for approval: table 'people': column born is new" in str(result["error"])
    assert people(owner) == [{"id": "1", "name": "Ada"}]

    (change,) = owner.get("/schema-changes", state="pending")["items"]
    assert (change["run_id"], change["pipeline"]["id"]) == (held["run_id"], pipeline["id"])
    owner.post(f"/schema-changes/{change['id']}/approve", {"note": "agreed"})
    owner.post(f"/runs/{held['dag_id']}/{held['run_id']}/retry")
    assert owner.finished(held)["state"] == "success"
    ada, grace = people(owner)
    assert ada == {"id": "1", "name": "Ada", "born": "1815"}
    assert grace == {"id": "2", "name": "Grace", "born": "1906"}
    assert owner.get(f"/schema-changes/{change['id']}")["state"] == "applied"


def people(owner: Account) -> list[dict[str, str]]:
    """What was loaded, without dlt's own columns."""
    found = owner.get("/tables/raw/people/rows")
    names = [column["name"] for column in found["columns"]]
    rows = [dict(zip(names, row, strict=True)) for row in found["rows"]]
    kept = [{name: row[name] for name in names if not name.startswith("_dlt")} for row in rows]
    return sorted(kept, key=lambda row: row["id"])
