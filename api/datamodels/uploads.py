"""Bodies of uploads."""

from datetime import datetime

from api.datamodels.base import Answer


class UploadOut(Answer):
    """A stored file; `size` is bytes."""

    id: int
    filename: str
    sha256: str
    size: int
    created_at: datetime


class PreviewOut(Answer):
    """The first rows of a CSV file, as text."""

    filename: str
    columns: list[str]
    rows: list[list[str]]
