"""Bodies of a person's organizations."""

from datetime import datetime

from pydantic import ConfigDict

from api.datamodels.base import Answer, Body, Name


class OrganizationIn(Body):
    """Another organization."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Acme"}]})

    name: Name


class DeletedOrganizationOut(Answer):
    """A deleted organization that the caller owns."""

    id: int
    slug: str
    name: str
    deleted_at: datetime
    purge_after: datetime
