"""Bodies of members."""

from pydantic import ConfigDict

from api.datamodels.base import Answer, Body
from etlfabric_core.access.permissions import Role


class MemberPatch(Body):
    """Another role."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "viewer"}]})

    role: Role


class MemberOut(Answer):
    """A member; `id` is the membership's."""

    id: int
    user_id: int
    email: str
    name: str
    role: Role
