"""How to make a right request to every route, as data.

`Ref("pipeline")` stands for an id of the organization that the request is about. Swapping one of
them for another organization's gives the wrong requests.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

API = "/api/v1"


@dataclass(frozen=True)
class Ref:
    """The id of something that the organization has."""

    noun: str


Template = Any  # JSON with Refs in it


@dataclass(frozen=True)
class Call:
    """A request without its ids. `answers`: what is right where it is not 200, 201, 202 or 204."""

    path: Mapping[str, Template] = field(default_factory=dict)
    query: Mapping[str, Template] = field(default_factory=dict)
    body: Template = None
    file: bool = False
    answers: tuple[int, ...] = (200, 201, 202, 204)


Slot = tuple[str, ...]


def slots(call: Call) -> Iterator[tuple[Slot, str]]:
    """Every place of a call that holds an id, with the noun that belongs there."""
    for part in ("path", "query", "body"):
        yield from _slots(getattr(call, part), (part,))


def _slots(template: Template, at: Slot) -> Iterator[tuple[Slot, str]]:
    if isinstance(template, Ref):
        yield at, template.noun
    elif isinstance(template, Mapping):
        for key, value in template.items():
            yield from _slots(value, (*at, key))
    elif isinstance(template, list):
        for number, value in enumerate(template):
            yield from _slots(value, (*at, str(number)))


def with_value(call: Call, slot: Slot, value: Any) -> Call:
    """The call with one id replaced."""
    part, *rest = slot
    return replace(call, **{part: _replaced(getattr(call, part), rest, value)})


def _replaced(template: Template, at: list[str], value: Any) -> Template:
    if not at:
        return value
    if isinstance(template, list):
        return [
            _replaced(item, at[1:], value) if str(n) == at[0] else item
            for n, item in enumerate(template)
        ]
    return {**template, at[0]: _replaced(template[at[0]], at[1:], value)}


def filled(template: Template, ids: Mapping[str, Any]) -> Any:
    """The template with an organization's ids in the places of its Refs."""
    if isinstance(template, Ref):
        return ids[template.noun]
    if isinstance(template, Mapping):
        return {key: filled(value, ids) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(item, ids) for item in template]
    return template


def by_id(noun: str, **other: Any) -> Call:
    """A call whose path is one object's."""
    return Call(path={"id": Ref(noun)}, **other)


PIPELINE = {
    "workflow_id": Ref("workflow"),
    "name": "Second",
    "source_connection_id": Ref("connection"),
    "dataset": "raw",
    "config": {"resources": [{"name": "second", "source": "people.csv"}]},
}
TRANSFORMATION = {
    "workflow_id": Ref("workflow"),
    "name": "Two",
    "slug": "two",
    "dataset": "marts",
    "config": {"sql": "select 2 as n"},
}
SCHEDULE = {
    "workflow_id": Ref("workflow"),
    "node_id": Ref("pipeline"),
    "slug": "nightly",
    "cron": "0 3 * * *",
}
FILES = {"name": "More", "connector": "csv", "config": {"uploads": [Ref("upload")]}}
RUN = {"dag_id": Ref("dag"), "run_id": Ref("run")}
TABLE = {"dataset": "raw", "table": Ref("table")}
DATES = {"from_date": "2026-01-01", "to_date": "2026-01-01"}
BACKFILL = {"id": Ref("workflow"), "backfill_id": Ref("backfill")}
REVISION = {"id": Ref("workflow"), "number": 1}

# In the order in which they are tried: what ends something comes last.
CALLS: dict[str, Call] = {
    "GET /me": Call(),
    "PATCH /me": Call(body={"name": "Owner"}),
    "GET /me/sessions": Call(),
    "GET /me/identities": Call(),
    "GET /organizations/deleted": Call(),
    "GET /registry/connectors": Call(),
    "GET /registry/kinds": Call(),
    "GET /registry/roles": Call(),
    "GET /organization": Call(),
    "PATCH /organization": Call(body={"name": "Renamed"}),
    "GET /members": Call(),
    "PATCH /members/{id}": by_id("member", body={"role": "editor"}),
    "GET /invitations": Call(),
    "POST /invitations": Call(body={"email": "new@example.com", "role": "viewer"}),
    "POST /invitations/{id}/resend": by_id("invitation"),
    "GET /api-keys": Call(),
    "POST /api-keys": Call(body={"name": "Robot", "scopes": ["runs:read"]}),
    "GET /audit": Call(query={"user_id": Ref("user")}),
    "GET /audit.csv": Call(query={"user_id": Ref("user")}),
    "GET /audit/verify": Call(),
    "GET /connections": Call(),
    "POST /connections": Call(body=FILES),
    "POST /connections/test": Call(body={k: FILES[k] for k in ("connector", "config")}),
    "GET /connections/{id}": by_id("connection"),
    "PATCH /connections/{id}": by_id("connection", body={"config": FILES["config"]}),
    "POST /connections/{id}/test": by_id("connection"),
    # 409: it signs in without one.
    "POST /connections/{id}/consent": by_id("connection", answers=(409,)),
    "PUT /connections/{id}/consent": by_id(
        "connection", body={"code": "c", "state": "1.s"}, answers=(409,)
    ),
    "GET /connections/{id}/tests": by_id("connection"),
    "GET /connections/{id}/schemas": by_id("connection"),
    "GET /connections/{id}/tables": by_id("connection", query={"refresh": True}),
    "GET /connections/{id}/columns": by_id("connection", query={"table": "people.csv"}),
    "POST /connections/{id}/preview": by_id("connection", body={"table": "people.csv"}),
    "POST /connections/{id}/profile": by_id("connection", body={"table": "people.csv"}),
    "POST /connections/{id}/draft": by_id(
        "connection", body={"resource": {"name": "people", "source": "people.csv"}}
    ),
    "GET /connections/{id}/drift": by_id("connection", query={"upload_id": Ref("upload")}),
    "POST /connections/compare": Call(
        body={"dataset": "raw", "table": "people", "columns": {"id": "text"}}
    ),
    "GET /uploads": Call(),
    "POST /uploads": Call(file=True),
    "POST /uploads/partial": Call(body={"filename": "big.csv", "size": 9}),
    "HEAD /uploads/partial/{id}": by_id("partial_upload"),
    "PATCH /uploads/partial/{id}": by_id("partial_upload"),
    # 409: nothing of it has come.
    "POST /uploads/partial/{id}/finish": by_id("partial_upload", body={}, answers=(409,)),
    "GET /uploads/{id}/preview": by_id("upload"),
    "GET /uploads/{id}/inspection": by_id("upload"),
    "GET /tables": Call(),
    "GET /tables/{dataset}/{table}/rows": Call(path=TABLE),
    "POST /tables/reveal": Call(body={"values": ["enc1:"]}),
    "GET /tables/{dataset}/{table}/count": Call(path=TABLE),
    "GET /tables/{dataset}/{table}/rejected": Call(path=TABLE),
    "GET /tables/{dataset}/{table}/rejected/reasons": Call(path=TABLE),
    "GET /tables/{dataset}/{table}/rejected.csv": Call(path=TABLE),
    "GET /workflows": Call(),
    "POST /workflows": Call(body={"name": "Other"}),
    "GET /workflows/{id}": by_id("workflow"),
    "PATCH /workflows/{id}": by_id("workflow", body={"description": "What it does"}),
    "GET /workflows/{id}/graph": by_id("workflow"),
    "POST /workflows/{id}/check": by_id("workflow"),
    "GET /workflows/{id}/revisions": by_id("workflow"),
    "GET /workflows/{id}/revisions/{number}": Call(path=REVISION),
    "GET /pipelines": Call(query={"workflow_id": Ref("workflow")}),
    "POST /pipelines": Call(body=PIPELINE),
    "GET /pipelines/{id}": by_id("pipeline"),
    "PATCH /pipelines/{id}": by_id("pipeline", body={"source_connection_id": Ref("orders")}),
    "GET /pipelines/{id}/state": by_id("pipeline"),
    "GET /pipelines/{id}/tables": by_id("pipeline"),
    "GET /pipelines/{id}/tables/{table}/rows": Call(
        path={"id": Ref("pipeline"), "table": Ref("table")}
    ),
    "GET /pipelines/{id}/rejected": by_id("pipeline"),
    # 409: no row of it was rejected.
    "POST /pipelines/{id}/rejected/replay": by_id("pipeline", body={}, answers=(409,)),
    # 409: it was not loaded yet.
    "POST /pipelines/{id}/state/reset": by_id(
        "pipeline", body={"resource": "flights"}, answers=(409,)
    ),
    "POST /pipelines/{id}/state/set": by_id(
        "pipeline", body={"resource": "flights", "value": "1"}, answers=(409,)
    ),
    "POST /pipelines/{id}/state/restore": by_id(
        "pipeline", body={"load_id": "1.5"}, answers=(409,)
    ),
    "GET /schema-changes": Call(query={"pipeline_id": Ref("pipeline")}),
    "GET /schema-changes/{id}": by_id("schema_change"),
    # 409: it is decided once.
    "POST /schema-changes/{id}/approve": by_id("schema_change", body={}, answers=(200, 409)),
    "POST /schema-changes/{id}/reject": by_id("schema_change", body={}, answers=(200, 409)),
    "GET /transformations": Call(query={"workflow_id": Ref("workflow")}),
    "POST /transformations": Call(body=TRANSFORMATION),
    "POST /transformations/check": Call(body={**TRANSFORMATION, "id": Ref("transformation")}),
    "GET /transformations/{id}": by_id("transformation"),
    "PATCH /transformations/{id}": by_id("transformation", body={"description": "One"}),
    "POST /transformations/{id}/preview": by_id("transformation"),
    "GET /transformations/{id}/failures": by_id("transformation", query={"run_id": Ref("run")}),
    "GET /edges": Call(query={"workflow_id": Ref("workflow")}),
    "POST /edges": Call(body={"upstream_id": Ref("model"), "downstream_id": Ref("last")}),
    "GET /schedules": Call(query={"workflow_id": Ref("workflow")}),
    "POST /schedules": Call(body=SCHEDULE),
    "POST /schedules/preview": Call(body={"cron": "0 6 * * *"}),
    "GET /schedules/{id}": by_id("schedule"),
    "PATCH /schedules/{id}": by_id("schedule", body={"enabled": False}),
    "POST /workflows/{id}/runs": by_id("workflow", body={"select": ["flights"]}),
    "POST /workflows/{id}/backfills/plan": by_id("workflow", body=DATES),
    # 422: no date of the schedule lies in the period.
    "POST /workflows/{id}/backfills": by_id("workflow", body=DATES, answers=(422,)),
    "GET /workflows/{id}/backfills": by_id("workflow"),
    "GET /workflows/{id}/backfills/{backfill_id}": Call(path=BACKFILL),
    # 409: it may be over, and without a failed window.
    "POST /workflows/{id}/backfills/{backfill_id}/resume": Call(path=BACKFILL, answers=(201, 409)),
    "POST /workflows/{id}/backfills/{backfill_id}/cancel": Call(path=BACKFILL, answers=(200, 409)),
    "GET /runs": Call(query={"workflow_id": Ref("workflow")}),
    "GET /runs/{dag_id}/{run_id}": Call(path=RUN),
    "GET /runs/{dag_id}/{run_id}/events": Call(path=RUN),
    "GET /runs/{dag_id}/{run_id}/tasks/{task_id}/logs": Call(path={**RUN, "task_id": "flights"}),
    # 409: the run may have ended by itself.
    "POST /runs/{dag_id}/{run_id}/cancel": Call(path=RUN, answers=(200, 204, 409)),
    "POST /runs/{dag_id}/{run_id}/retry": Call(path=RUN),
    "POST /workflows/{id}/publish": by_id("workflow"),
    "DELETE /edges/{id}": by_id("edge"),
    "DELETE /schedules/{id}": by_id("schedule"),
    "DELETE /pipelines/{id}": by_id("pipeline"),
    "DELETE /transformations/{id}": by_id("transformation"),
    "POST /workflows/{id}/revisions/{number}/restore": Call(path=REVISION),
    "DELETE /workflows/{id}": by_id("spare_workflow"),
    "DELETE /connections/{id}": by_id("spare_connection"),
    "DELETE /uploads/{id}": by_id("spare_upload"),
    "DELETE /uploads/partial/{id}": by_id("partial_upload"),
    "DELETE /invitations/{id}": by_id("invitation"),
    "DELETE /api-keys/{id}": by_id("api_key"),
    "DELETE /members/{id}": by_id("member"),
    "POST /organization/transfer": Call(
        body={"member_id": Ref("other_member"), "confirm": Ref("slug")}
    ),
    "DELETE /me/sessions/{id}": by_id("session"),
    "DELETE /me/sessions": Call(),
}
