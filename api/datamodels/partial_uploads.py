"""Bodies of uploads that come in pieces."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints

from api.datamodels.base import Answer, Body


class PartialUploadIn(Body):
    """A file that is to come; `size` is bytes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"filename": "orders.csv", "size": 24}]}
    )

    filename: str = Field(max_length=1000)
    size: int = Field(ge=1)


class PartialUploadOut(Answer):
    """A file of which `received` of `size` bytes have come; after `expires_at` it is given up."""

    id: int
    filename: str
    size: int
    received: int
    expires_at: datetime


class FinishIn(Body):
    """The hash that the whole file must have, in hexadecimal digits; null: it is not checked."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"sha256": None}]})

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
