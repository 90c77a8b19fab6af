"""Roles and permissions, as data. Each role is the one below it and something more."""

from enum import StrEnum


class Role(StrEnum):
    """What a member is in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


class PlatformRole(StrEnum):
    """What somebody is to the whole installation. An owner may all that an operator may."""

    OPERATOR = "operator"
    OWNER = "owner"


class Permission(StrEnum):
    """What one may do. The scopes of API keys are the same words."""

    ORGANIZATION_READ = "organization:read"
    ORGANIZATION_WRITE = "organization:write"
    ORGANIZATION_DELETE = "organization:delete"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    API_KEYS_READ = "api_keys:read"
    API_KEYS_WRITE = "api_keys:write"
    API_KEYS_DELETE = "api_keys:delete"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    CONNECTIONS_DELETE = "connections:delete"
    UPLOADS_READ = "uploads:read"
    UPLOADS_WRITE = "uploads:write"
    UPLOADS_DELETE = "uploads:delete"
    WORKFLOWS_READ = "workflows:read"
    WORKFLOWS_WRITE = "workflows:write"
    WORKFLOWS_DELETE = "workflows:delete"
    WORKFLOWS_PUBLISH = "workflows:publish"
    PIPELINES_READ = "pipelines:read"
    PIPELINES_WRITE = "pipelines:write"
    PIPELINES_DELETE = "pipelines:delete"
    TRANSFORMATIONS_READ = "transformations:read"
    TRANSFORMATIONS_WRITE = "transformations:write"
    TRANSFORMATIONS_DELETE = "transformations:delete"
    SCHEDULES_READ = "schedules:read"
    SCHEDULES_WRITE = "schedules:write"
    SCHEDULES_DELETE = "schedules:delete"
    RUNS_READ = "runs:read"
    RUNS_EXECUTE = "runs:execute"
    TABLES_READ = "tables:read"
    TABLES_REVEAL = "tables:reveal"
    AUDIT_READ = "audit:read"


def _ending(*actions: str) -> frozenset[Permission]:
    return frozenset(p for p in Permission if p.value.rpartition(":")[2] in actions)


_OWNER_ONLY = frozenset(
    {Permission.ORGANIZATION_WRITE, Permission.ORGANIZATION_DELETE, Permission.MEMBERS_WRITE}
)
_ADMIN_ONLY = frozenset(
    {
        Permission.API_KEYS_READ,
        Permission.API_KEYS_WRITE,
        Permission.AUDIT_READ,
        Permission.TABLES_REVEAL,
    }
)
_VIEWER = _ending("read") - _ADMIN_ONLY
_EDITOR = _VIEWER | _ending("write", "publish", "execute") - _OWNER_ONLY - _ADMIN_ONLY
_ADMIN = _EDITOR | _ADMIN_ONLY | _ending("delete") - _OWNER_ONLY
_OWNER = _ADMIN | _OWNER_ONLY

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _OWNER,
    Role.ADMIN: _ADMIN,
    Role.EDITOR: _EDITOR,
    Role.VIEWER: _VIEWER,
}
