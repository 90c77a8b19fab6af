"""Bodies of backfills."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.datamodels.base import Answer


class BackfillIn(BaseModel):
    """Which windows to run again. Dates without a zone are UTC, as in `airflow backfill`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"from_date": "2013-03-01", "to_date": "2013-03-03", "dry_run": True}]
        },
    )

    from_date: datetime
    to_date: datetime
    dry_run: bool = Field(False, description="Only tell the dates.")
    reprocess: Literal["none", "failed", "completed"] = Field(
        "none", description="Whether dates that were run before are run again."
    )


class BackfillOut(Answer):
    """The dates of a backfill; `id` is null when it was only planned."""

    dag_id: str
    dates: list[datetime]
    id: int | None
