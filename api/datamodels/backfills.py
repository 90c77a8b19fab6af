"""Bodies of backfills."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.datamodels.base import Answer
from etlfabric_core.services.backfill_plans import Asked, Period

OnFailure = Literal["stop", "continue"]


class BackfillIn(BaseModel):
    """Which windows to run again. Dates without a zone are UTC, as in `airflow backfill`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"from_date": "2013-03-01", "to_date": "2013-03-03", "on_failure": "stop"}]
        },
    )

    from_date: datetime
    to_date: datetime
    reprocess: Literal["none", "failed", "completed"] = Field(
        "none", description="Whether dates that were run before are run again."
    )
    on_failure: OnFailure = Field(
        "continue",
        description="stop: no window begins behind one of the period that has failed.",
    )

    def asked(self) -> Asked:
        """For the service."""
        return Asked(Period(self.from_date, self.to_date), self.reprocess, self.on_failure)


class WindowOut(Answer):
    """One run: rows whose cursor lies in [start, end)."""

    start: datetime
    end: datetime


class PartOut(Answer):
    """Whether a resource takes part, and why. `resource` null: all that no entry speaks of."""

    pipeline: str
    resource: str | None
    takes_part: bool
    reason: str


class BackfillPlanOut(Answer):
    """What a backfill would do: one run for each window, one after the other."""

    dag_id: str
    windows: list[WindowOut]
    parts: list[PartOut]


class BackfillCreatedOut(Answer):
    """A backfill that was started."""

    id: int
    plan: BackfillPlanOut


class WindowStateOut(Answer):
    """How far a window is. `stopped`: not begun, because one before it had failed."""

    start: datetime | None
    end: datetime | None
    state: Literal["queued", "running", "success", "failed", "stopped"]
    run_id: str


class BackfillOut(Answer):
    """A backfill and every window of its period that a backfill has run, by date."""

    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    created_at: datetime
    completed_at: datetime | None
    on_failure: OnFailure
    windows: list[WindowStateOut]
