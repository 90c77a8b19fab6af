"""Who calls."""

from dataclasses import dataclass
from uuid import UUID

from etlfabric_core.access.permissions import Permission, Role


@dataclass(frozen=True)
class Principal:
    """A user, or a key of that user, in exactly one organization, with what is allowed there."""

    user_id: int
    org_id: int
    org_slug: str
    role: Role
    permissions: frozenset[Permission]
    sid: UUID | None = None  # the login of an access token
    api_key_id: int | None = None
