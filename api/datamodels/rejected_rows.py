"""Bodies of rejected rows."""

from datetime import datetime

from pydantic import Field

from api.datamodels.base import Answer
from etlfabric_core.services.rejected_rows import RejectedRow

CSV_COLUMNS = ("rejected_at", "column", "reason", "file", "line", "run_id", "row")


class RejectedRowOut(Answer):
    """A row that was not loaded, and why."""

    id: str
    rejected_at: datetime | None
    column: str | None = Field(description="Whose value was refused.")
    reason: str | None
    file: str | None
    line: int | None = Field(description="Of the file, from 1.")
    value: str | None = Field(description="What the row has in that column.")
    row: str | None = Field(description="The row of the source as JSON, masked as configured.")
    is_cut: bool | None = Field(description="Only the first 10,000 characters of it are here.")
    dag_id: str | None = Field(description="With run_id: the run that put it aside.")
    run_id: str | None

    @classmethod
    def of(cls, row: RejectedRow) -> "RejectedRowOut":
        """The answer about a row."""
        dag_id, run_id = row.run or (None, None)
        fields = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        return cls(**fields, dag_id=dag_id, run_id=run_id)

    def cells(self) -> list[str]:
        """The line of a CSV file."""
        values = (getattr(self, name) for name in CSV_COLUMNS)
        return ["" if value is None else str(value) for value in values]


class ReasonOut(Answer):
    """How many rows were put aside for one reason."""

    column: str | None
    reason: str | None
    rows: int


class ReasonsOut(Answer):
    """The reasons, the most frequent first; at most 200."""

    items: list[ReasonOut]
    next_cursor: None = None
