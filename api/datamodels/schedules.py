"""Bodies of schedules."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from api.datamodels.base import Answer, Body
from api.datamodels.workflows import Slug

Cron = Annotated[str, Field(max_length=200, description="Five fields.")]
Timezone = Annotated[str, Field(max_length=64, description="Such as 'America/New_York'.")]
MissedRuns = Annotated[
    Literal["skip", "run_once", "queue"],
    Field(description="What happens to runs that were due while nothing could run."),
]
EXAMPLE: dict[str, Any] = {"workflow_id": 1, "cron": "0 6 * * *", "timezone": "America/New_York"}


class ScheduleIn(Body):
    """A new schedule, of the whole workflow or of one node of it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    workflow_id: int
    node_id: int | None = None
    slug: Slug = None
    cron: Cron
    timezone: Timezone = "UTC"
    missed_runs: MissedRuns = "run_once"
    enabled: bool = True
    start: AwareDatetime | None = Field(None, description="No run before this. Default: now.")


class SchedulePatch(Body):
    """What to change; what is left out stays."""

    cron: Cron = ""
    timezone: Timezone = ""
    missed_runs: MissedRuns = "run_once"
    enabled: bool = True
    start: AwareDatetime | None = None


class ScheduleOut(Answer):
    """A schedule. `description` says the cron expression in words."""

    id: int
    workflow_id: int
    node_id: int | None
    slug: str
    cron: str
    timezone: str
    missed_runs: str
    enabled: bool
    start: datetime
    description: str
    next_runs: list[datetime]


class PreviewIn(Body):
    """A cron expression and the zone whose clock it follows."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"cron": "0 6 * * 1-5"}]}
    )

    cron: Cron
    timezone: Timezone = "UTC"


class PreviewOut(Answer):
    """What it means, and its next five runs in the zone."""

    description: str
    next_runs: list[datetime]
