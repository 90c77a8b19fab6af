"""One run of a workflow: what names it, and the part of Airflow's context that tasks look at."""

from types import SimpleNamespace
from typing import Any

from etlfabric_core import clock
from etlfabric_core.specs.context import RunRef

RUN = RunRef(
    dag_id="acme.daily",
    run_id="manual__2024-01-01T00:00:00+00:00",
    run_type="manual",
    node="load_orders",
    revision=7,
    try_number=1,
)


def context(run_type: str = "manual", conf: dict[str, Any] | None = None, **run: Any) -> Any:
    """The part of Airflow's context that tasks look at."""
    fields = {
        "run_type": run_type,
        "conf": conf,
        "data_interval_start": None,
        "data_interval_end": None,
        "run_after": clock.now(),
    }
    instance = SimpleNamespace(dag_id=RUN.dag_id, run_id=RUN.run_id, try_number=1)
    return {"ti": instance, "dag_run": SimpleNamespace(**{**fields, **run})}
