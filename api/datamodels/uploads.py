"""Bodies of uploads."""

from datetime import datetime

from api.datamodels.base import Answer
from etlfabric_core.graph.columns import ColumnType, FunctionCall


class UploadOut(Answer):
    """A stored file; `size` is bytes."""

    id: int
    filename: str
    sha256: str
    size: int
    created_at: datetime


class PreviewOut(Answer):
    """Rows of a CSV file, as text; `complete`: no others follow."""

    filename: str
    columns: list[str]
    rows: list[list[str]]
    complete: bool


class DialectOut(Answer):
    """How the rows of a CSV file are written, in the words of a connection's config."""

    delimiter: str
    encoding: str
    null_values: list[str]
    header: bool


class ReasonOut(Answer):
    """Why a part of the dialect is what it is."""

    part: str
    evidence: str


class MisfitOut(Answer):
    """A value that is not of the proposed type, and where it is met first.

    `line` is null far into a large file.
    """

    value: str
    row: int
    line: int | None


class ColumnFoundOut(Answer):
    """A column, and what is proposed for it in a resource's `columns`.

    `least` and `greatest` are by the order of the type; `misfits` counts values that are not of
    it.
    """

    name: str
    type: ColumnType
    functions: list[FunctionCall]
    evidence: str
    nulls: int
    distinct: int
    distinct_is_exact: bool
    least: str | None
    greatest: str | None
    longest: int
    examples: list[str]
    misfits: int
    first_misfits: list[MisfitOut]


class InspectionOut(Answer):
    """What a CSV file is, after its first `rows` rows; `complete`: it has no others."""

    filename: str
    dialect: DialectOut
    reasons: list[ReasonOut]
    rows: int
    complete: bool
    columns: list[ColumnFoundOut]


class RenamedOut(Answer):
    """A column that looks like one that is gone."""

    before: str
    after: str


class BrokenOut(Answer):
    """A resource of a pipeline that names columns which are gone."""

    pipeline_id: int
    pipeline: str
    resource: str
    columns: list[str]


class DriftOut(Answer):
    """How the header of a file differs from that of the one before it, and whom that breaks."""

    filename: str
    before: list[str]
    after: list[str]
    added: list[str]
    missing: list[str]
    renamed: list[RenamedOut]
    reordered: bool
    broken: list[BrokenOut]
