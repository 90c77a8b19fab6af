"""Who calls."""

from dataclasses import dataclass

from etlfabric_core.access.permissions import Permission, Role


@dataclass(frozen=True)
class Principal:
    """A user in exactly one organization, with what the role there allows."""

    user_id: int
    org_id: int
    org_slug: str
    role: Role
    permissions: frozenset[Permission]
