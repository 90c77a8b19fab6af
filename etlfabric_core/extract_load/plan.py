"""What a load is asked to do (LoadPlan) and what it did (LoadResult)."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from etlfabric_core.graph.configs import PipelineConfig, SchemaPolicy
from etlfabric_core.graph.resources import WriteDisposition


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileRef(_Document):
    """A file of a source connection. The runner's caller brings it to disk before the run."""

    name: str = Field(description="The name a resource's `source` refers to.")
    sha256: str
    size: int = Field(description="bytes")
    url: str = Field(description="Path at the metadata service that serves the bytes.")


class Endpoint(_Document):
    """One side of a load: a connector, its plain config, its secrets, its files.

    `addresses` are what the host's name stood for when the service checked it; connections go to
    these and to no others. `others` has the same for further hosts, such as one that hands out
    tokens. `database_file` is the database that the platform keeps for the connection, if it does.
    """

    connector: str
    config: dict[str, Any]
    secrets: dict[str, str] = Field(default_factory=dict, repr=False)
    files: tuple[FileRef, ...] = ()
    addresses: tuple[str, ...] = ()
    others: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    database_file: Path | None = None


class Window(_Document):
    """The half-open interval [start, end) that a backfill reloads."""

    start: datetime
    end: datetime


class ColumnChange(_Document):
    """One difference between what a load would write and what was agreed before.

    `old` and `new` are types. Where the type changes, `table_type` is what the column of the table
    stays: values that it does not hold as they are fail the load.
    """

    kind: Literal["table_added", "column_added", "column_removed", "type_changed"]
    column: str | None = Field(None, description="None: the table itself.")
    old: str | None = None
    new: str | None = None
    table_type: str | None = None


class TableChange(_Document):
    """What changed in one table since the last load, in the order of its columns."""

    table: str
    changes: tuple[ColumnChange, ...]


class Rejection(TableChange):
    """Changes that somebody turned down."""

    id: int
    note: str


class Agreement(_Document):
    """What is known of changes of a pipeline's tables.

    `settled`: columns that are gone, or have another type than the table's, and were let through.
    """

    settled: tuple[TableChange, ...] = ()
    approved: tuple[TableChange, ...] = ()
    rejected: tuple[Rejection, ...] = ()


class FoundChanges(_Document):
    """All changes that a load found before it read a row, and whether it goes on with them."""

    policy: SchemaPolicy
    goes_on: bool
    tables: tuple[TableChange, ...]


class LoadPlan(_Document):
    """Everything that one load needs to know.

    `pipeline` is unique per destination dataset: it names dlt's pipeline, its schema, the lock
    and the staging dataset. `window` is set in a backfill: then resources without a cursor are
    left alone, and the live cursor is neither read nor moved. `replay` names tables whose rejected
    rows are loaded, and nothing else is: no row of the source, and again no cursor.
    """

    plan: Literal["load"] = "load"
    pipeline: str
    source: Endpoint
    destination: Endpoint
    dataset: str = Field(description="Physical schema at the destination.")
    config: PipelineConfig
    window: Window | None = None
    replay: tuple[str, ...] = ()
    mask_key: str = Field("", repr=False, description="Of the organization; hexadecimal.")
    agreement: Agreement = Agreement()

    @model_validator(mode="after")
    def _a_replay_has_no_window(self) -> Self:
        if self.replay and self.window:
            raise ValueError("rejected rows are replayed without a window")
        return self


class StateChange(_Document):
    """What to do with the cursor of one resource; to `restore` without one means all of them.

    `resource` is the name of the table at the destination, `column` the cursor as it is loaded.
    """

    action: Literal["reset", "set", "restore"]
    resource: str | None = None
    column: str | None = None
    value: str | None = None
    load_id: str | None = None


class TableLoad(_Document):
    """What happened to one table in one load; rows and bytes are counts of this load only."""

    table: str
    write_disposition: WriteDisposition
    extracted: int
    normalized: int
    loaded: int
    rejected: int = Field(0, description="Rows in quarantine; extracted = loaded + rejected.")
    size_bytes: int = Field(0, description="bytes extracted")
    new_columns: tuple[str, ...] = ()
    deleted: int = Field(0, description="Rows marked or removed: the source has them no longer.")
    restored: int = Field(0, description="Rows whose mark was taken back.")
    source_rows: int | None = Field(None, description="At the source, where a resource asks.")
    target_rows: int | None = Field(None, description="In the table, where a resource asks.")


class LoadResult(_Document):
    """Evidence that the data arrived."""

    load_ids: tuple[str, ...]
    tables: tuple[TableLoad, ...]
    skipped: tuple[str, ...] = Field(
        (), description="Resources without a cursor, in a backfill, or new against their contract."
    )
    replay: bool = Field(False, description="What was extracted were rejected rows.")
    orphans_removed: int = Field(0, description="Rows of unfinished earlier loads taken out.")
    seconds: float
