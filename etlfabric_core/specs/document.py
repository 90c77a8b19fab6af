"""DagSpec: the frozen, secret-free document of one revision of one workflow."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeSpec(_Document):
    """One node as a task. Only ids and numbers: no tenant text reaches an Airflow template."""

    slug: str
    kind: str
    upstream: tuple[str, ...] = Field((), description="Slugs of nodes, sorted.")
    retries: int = 5
    timeout_s: int = 6 * 3600


class DbtSpec(_Document):
    """The rendered dbt project of the revision, by content hash.

    `loads` maps the `unique_id` of a dbt source to the slug of the pipeline node that loads it,
    `models` the `unique_id` of a model or snapshot to the slug of its node.
    """

    project_sha256: str
    manifest_sha256: str
    loads: dict[str, str]
    models: dict[str, str]


class ScheduleSpec(_Document):
    """A cron schedule. `slug` and `select` are set when it runs only a part of the workflow."""

    slug: str | None = None
    cron: str
    timezone: str
    missed_runs: Literal["skip", "run_once", "queue"]
    start: Annotated[datetime, Field(description="No run before this time; UTC.")]
    select: tuple[str, ...] = ()


class DagSpec(_Document):
    """What the DAG factory builds from: one workflow of one organization at one revision."""

    version: Literal[1] = 1
    org: str
    workflow: str
    revision: int = Field(ge=1)
    dag_id: str
    nodes: tuple[NodeSpec, ...] = Field(description="Sorted by slug.")
    dbt: DbtSpec | None = None
    schedules: tuple[ScheduleSpec, ...] = Field((), description="Enabled ones, sorted.")
    pool: str


class Publication(_Document):
    """One line of the change feed that the DAG bundle follows.

    `seq` grows with every publication of any organization, in commit order. `spec` is None when
    the workflow was deleted.
    """

    seq: int
    org: str
    workflow: str
    spec: DagSpec | None


class PublicationPage(_Document):
    """The answer to "what changed after `after`?". `complete` is False when more is waiting."""

    after: int
    last_seq: int
    complete: bool
    publications: tuple[Publication, ...]


class Refused(_Document):
    """Airflow's side could not build a publication; the workflow's last good one stays."""

    dag_id: str
    seq: int
    reason: str = Field(max_length=4000)
