"""Run context: what a task asks for when it starts, and what it reports back.

These are the bodies of the service's /internal/v1 routes. A context carries secrets and lives in
memory only.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from etlfabric_core.extract_load.plan import FoundChanges, LoadPlan, LoadResult
from etlfabric_core.transform.plan import TransformPlan, TransformResult


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunRef(_Body):
    """Which try of which task of which run. All that a task knows about itself."""

    dag_id: str
    run_id: str
    run_type: str = Field(description="Airflow's: manual, scheduled, backfill, …")
    node: str = Field(description="Node slug; for dbt tasks the slug of the model.")
    revision: int
    try_number: int
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    replay: tuple[str, ...] = Field((), description="Tables whose rejected rows are loaded.")


class ContextRequest(_Body):
    """`select` names dbt nodes by `unique_id`; it is empty for every other kind."""

    run: RunRef
    select: tuple[str, ...] = ()


Plan = Annotated[LoadPlan | TransformPlan, Field(discriminator="plan")]


class RunContext(_Body):
    """The resolved plan of one task."""

    plan: Plan


class Progress(_Body):
    """Rows so far, per stage and table; sent about once a second."""

    run: RunRef
    stage: Literal["extract", "normalize", "load"]
    rows: dict[str, int]


class ChangeReport(_Body):
    """What a load found changed; told before it goes on or fails."""

    run: RunRef
    found: FoundChanges


class TaskReport(_Body):
    """How a try of a task ended."""

    run: RunRef
    outcome: Literal["success", "failed"]
    load: LoadResult | None = None
    transform: TransformResult | None = None
    error: dict[str, Any] | None = Field(None, description="FabricError.body() of a failure.")


class LeaseRequest(_Body):
    """Ask for, renew or give back the right to be the one writer of a pipeline."""

    run: RunRef
    holder: str = Field(description="Unique per process: host, pid and a random part.")
    epoch: int | None = Field(None, description="Set when renewing or giving back.")


class Lease(_Body):
    """The right to write until `expires_at`; a higher epoch fences every lower one."""

    epoch: int
    expires_at: datetime
