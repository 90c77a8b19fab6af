"""What a connection has to load: schemas, tables, columns; a preview and a profile of a table."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from api.datamodels.base import Answer, Body
from etlfabric_core.connectors.record import TableKind

Source = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]


class SchemasOut(Answer):
    """The schemas of a connection; none where the source has no schemas."""

    items: list[str]
    listed_at: datetime


class SourceTableOut(Answer):
    """A table, view or file. `source` is what a resource's `source` says to mean it."""

    schema_: str = Field(alias="schema")
    name: str
    source: str
    kind: TableKind
    row_estimate: int | None
    primary_key: list[str]


class SourceTablesOut(Answer):
    """One page of tables, sorted by schema and name. `listed_at`: when the source gave it."""

    items: list[SourceTableOut]
    next_cursor: str | None
    listed_at: datetime


class SourceColumnOut(Answer):
    """A column at the source. `why_not` says why it cannot be a cursor."""

    name: str
    type: str
    nullable: bool
    primary_key: bool
    cursor_candidate: bool
    why_not: str | None


class SourceColumnsOut(Answer):
    """The columns of one table, with the keys that it proposes."""

    items: list[SourceColumnOut]
    primary_key: list[str]
    cursor_candidates: list[str]
    listed_at: datetime


class FirstRowsIn(Body):
    """Which table, and how many of its first rows."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"table": "orders", "limit": 50}]}
    )

    table: Source
    limit: int = Field(50, ge=1, le=200)


class FirstRowsColumnOut(Answer):
    """A column and the type that it would get at a PostgreSQL destination."""

    name: str
    type: str


class FirstRowsOut(Answer):
    """The first rows in the order of the source; `complete`: the table has no others.

    Integers beyond 2^53, decimals, times and infinities are text, bytes are hexadecimal; a long
    text is cut and ends with its length.
    """

    columns: list[FirstRowsColumnOut]
    rows: list[list[Any]]
    complete: bool


class ProfileIn(Body):
    """Which table, and a key to try; without one, the source's own or the first that fits."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"table": "orders", "key": ["id"]}]}
    )

    table: Source
    key: list[Source] = Field(default_factory=list, max_length=32)


class FrequentOut(Answer):
    """A value and how many rows have it."""

    value: Any
    rows: int


class ColumnProfileOut(Answer):
    """`least` and `greatest` are null where the type's order is the source's own affair."""

    name: str
    type: str
    nulls: int
    distinct: int
    least: Any
    greatest: Any
    frequent: list[FrequentOut]


class DuplicateOut(Answer):
    """Values of a key that more than one row has."""

    values: list[Any]
    rows: int


class KeyProfileOut(Answer):
    """A key and what speaks against it, with examples.

    `duplicates` counts rows that share their key with another one, `nulls` rows with an empty key.
    """

    columns: list[str]
    proposed_by: Literal["caller", "source", "sample"]
    unique: bool
    duplicates: int
    nulls: int
    examples: list[DuplicateOut]


class CursorProfileOut(Answer):
    """How a column would do as a cursor.

    `ties` counts rows whose value another row has too, `out_of_order` rows with a smaller value
    than the row before them.
    """

    column: str
    nulls: int
    ties: int
    out_of_order: int
    why_not: str | None


class ProfileOut(Answer):
    """What was counted in the first `rows` rows; `complete`: the table has no others."""

    rows: int
    complete: bool
    columns: list[ColumnProfileOut]
    key: KeyProfileOut | None
    cursors: list[CursorProfileOut]
