"""Bodies of organizations."""

from pydantic import ConfigDict

from api.datamodels.base import Answer, Body, Name


class OrganizationOut(Answer):
    """The tenant."""

    id: int
    slug: str
    name: str


class OrganizationPatch(Body):
    """The name that people see; the slug stays."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Acme Airlines"}]}
    )

    name: Name
