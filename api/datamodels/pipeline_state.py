"""Bodies of the state of a pipeline."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.datamodels.base import Answer
from etlfabric_core.graph.resources import WriteDisposition

NO_NUL = r"^[^\x00]+$"
ResourceName = Annotated[str, StringConstraints(max_length=63, pattern=NO_NUL)]
Action = Literal["reset", "set", "restore"]


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid")

    resource: ResourceName = Field(description="By its name in the published pipeline.")


class ResetIn(_Change):
    """Which resource is to be loaded from the beginning."""


class SetIn(_Change):
    """Where the next run of a resource begins."""

    value: Annotated[str, StringConstraints(max_length=1000, pattern=NO_NUL)] = Field(
        description="In the type of the cursor; a timestamp without a zone is UTC.",
        examples=["2013-03-01T00:00:00Z"],
    )


class RestoreIn(BaseModel):
    """Which version comes back, for one resource or for all of them."""

    model_config = ConfigDict(extra="forbid")

    load_id: Annotated[str, StringConstraints(max_length=64, pattern=NO_NUL)]
    resource: ResourceName | None = None


class PositionOut(Answer):
    """How far a cursor has come. Values are text, so that no client cuts them."""

    resource: str = Field(description="Table at the destination.")
    column: str
    type: Literal["integer", "number", "timestamp", "date", "text", "none"]
    text: str | None


class ResourceStateOut(Answer):
    """One resource. Where `follows` is false every run reads it as a whole."""

    name: str
    table: str
    write_disposition: WriteDisposition
    cursor: str | None
    follows: bool
    position: PositionOut | None


class RunRefOut(Answer):
    """The run that left a version."""

    dag_id: str
    run_id: str


class ChangeRefOut(Answer):
    """The change that left a version: what was done, and by whom."""

    action: Action
    resource: str | None
    restored: str | None = Field(description="The version that was restored.")
    user_id: int | None


class VersionOut(Answer):
    """The state as a run or a change left it: the snapshot before the next one."""

    load_id: str
    created_at: datetime
    hash: str
    positions: list[PositionOut]
    run: RunRefOut | None
    change: ChangeRefOut | None


class PipelineStateOut(Answer):
    """Where the next run begins, and at most 100 versions of that, the newest first."""

    published: bool
    is_held: bool = Field(description="A run is loading: nothing can be changed now.")
    resources: list[ResourceStateOut]
    history: list[VersionOut]


class ChangedOut(Answer):
    """What a change did."""

    load_id: str
    before: list[PositionOut]
    after: list[PositionOut]
