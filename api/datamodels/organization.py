"""Bodies of organizations."""

from datetime import datetime

from pydantic import ConfigDict, Field

from api.datamodels.base import Answer, Body, Name
from api.datamodels.workflows import Description


class OrganizationOut(Answer):
    """The tenant. With `deleted_at`, its owner is signed in only to restore it."""

    id: int
    slug: str
    name: str
    description: str
    deleted_at: datetime | None


class OrganizationPatch(Body):
    """What people see; what is left out stays, and so does the slug."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Acme Airlines"}]}
    )

    name: Name = ""
    description: Description = ""


class DeletionOut(Answer):
    """Until when a deleted organization can be restored."""

    purge_after: datetime


class TransferIn(Body):
    """Who is to own the organization; `confirm` is its slug."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"member_id": 2, "confirm": "acme"}]}
    )

    member_id: int
    confirm: str = Field(max_length=40)
