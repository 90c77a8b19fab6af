"""Row-level security on every table, and what the service's role may do.

Revision: 0002
Follows: 0001

The policies read two settings of the transaction that only `etlfabric_core/db/scope.py` writes.
FORCE binds the owner of the tables too. A later table repeats `protect()` in its own revision.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

SERVICE = "etlfabric_service"
CURRENT_ORG = "nullif(current_setting('app.org_id', true), '')::bigint"
# A user is seen by organizations through a membership, whose own policy bounds the inner query.
IS_MEMBER = 'EXISTS (SELECT 1 FROM membership WHERE membership.user_id = "user".id)'
PLATFORM = "coalesce(current_setting('app.platform', true), '') = 'on'"

OWNED = (
    "audit_entry",
    "connection",
    "edge",
    "membership",
    "node",
    "pipeline_lease",
    "publication",
    "revision",
    "run_event",
    "schedule",
    "task_result",
    "upload",
    "workflow",
)
APPEND_ONLY = frozenset({"audit_entry", "publication", "revision"})
# What sign-in and the change feed look at across organizations: table → commands.
PLATFORM_MAY = {
    "organization": "ALL",
    "user": "ALL",
    "refresh_token": "ALL",
    "membership": "ALL",
    "publication": "SELECT",
    "revision": "SELECT",
    "workflow": "SELECT",
}
TABLES = (*OWNED, "organization", "user", "refresh_token")


def protect(table: str) -> None:
    """Closes a table to everybody, so that its policies open it again."""
    op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')


def grant(table: str) -> None:
    """What the service may do with a table at all."""
    commands = "SELECT, INSERT" if table in APPEND_ONLY else "SELECT, INSERT, UPDATE, DELETE"
    op.execute(f'GRANT {commands} ON "{table}" TO {SERVICE}')


def policy(table: str, name: str, condition: str, command: str = "ALL") -> None:
    """Opens a table for the rows that meet a condition."""
    op.execute(f'CREATE POLICY {name} ON "{table}" FOR {command} USING ({condition})')


def upgrade() -> None:
    op.execute(f"GRANT USAGE ON SCHEMA public TO {SERVICE}")
    for table in TABLES:
        protect(table)
        grant(table)
    for table in OWNED:
        policy(table, "of_organization", f"org_id = {CURRENT_ORG}")
    policy("organization", "of_organization", f"id = {CURRENT_ORG}")
    policy("user", "of_organization", IS_MEMBER, "SELECT")
    for table, command in PLATFORM_MAY.items():
        policy(table, "of_platform", PLATFORM, command)


def downgrade() -> None:
    for table in TABLES:
        op.execute(f'DROP POLICY IF EXISTS of_organization ON "{table}"')
        op.execute(f'DROP POLICY IF EXISTS of_platform ON "{table}"')
        op.execute(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')
        op.execute(f'REVOKE ALL ON "{table}" FROM {SERVICE}')
