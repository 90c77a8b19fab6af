"""Logins, invitations, API keys, single sign-on, and what they need elsewhere.

Revision: 0004
Follows: 0003

Refresh tokens now belong to a login: whoever was signed in signs in again.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

SERVICE = "etlfabric_service"
CURRENT_ORG = "nullif(current_setting('app.org_id', true), '')::bigint"
PLATFORM = "coalesce(current_setting('app.platform', true), '') = 'on'"
OWNED = ("api_key", "invitation")
PLATFORM_ONLY = ("account_token", "identity", "refresh_token")
TIME = sa.DateTime(timezone=True)
JSON = postgresql.JSONB(none_as_null=True, astext_type=sa.Text())


def upgrade() -> None:
    _extend()
    _logins()
    _accounts()
    _owned()
    for table in (*OWNED, *PLATFORM_ONLY, "login"):
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO {SERVICE}')
    for table in (*PLATFORM_ONLY, "login", "invitation"):
        _policy(table, "of_platform", PLATFORM)
    for table in OWNED:
        _policy(table, "of_organization", f"org_id = {CURRENT_ORG}")
    _policy("api_key", "of_platform", PLATFORM, "SELECT")
    _policy("audit_entry", "of_platform", f"org_id IS NULL AND {PLATFORM}")
    # Seen through a membership of the same user, whose own policy bounds the inner query.
    member = "EXISTS (SELECT 1 FROM membership WHERE membership.user_id = login.user_id)"
    here = f"organization_id = {CURRENT_ORG}"
    _policy("login", "of_organization", f"{here} AND {member}", "SELECT")


def _extend() -> None:
    op.add_column(
        "organization", sa.Column("description", sa.String(), nullable=False, server_default="")
    )
    op.add_column("organization", sa.Column("purge_after", TIME))
    op.add_column("organization", sa.Column("purged_at", TIME))
    op.add_column(
        "organization",
        sa.Column(
            "airflow_operators",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="Its owners and admins may sign in to Airflow, for its own DAGs.",
        ),
    )
    op.alter_column(
        "user", "password_hash", nullable=True, comment="None: signs in elsewhere only."
    )
    op.add_column("user", sa.Column("email_verified_at", TIME))
    op.add_column(
        "user",
        sa.Column(
            "platform_role",
            sa.String(),
            comment="operator or owner of the whole installation; None for everybody else.",
        ),
    )
    op.alter_column("audit_entry", "org_id", nullable=True)
    op.add_column("audit_entry", sa.Column("api_key_id", sa.BigInteger()))
    op.add_column("audit_entry", sa.Column("request_id", sa.String()))
    op.add_column(
        "audit_entry",
        sa.Column(
            "number",
            sa.BigInteger(),
            comment="1, 2, 3, … within the organization; None before the chain began.",
        ),
    )
    op.add_column(
        "audit_entry",
        sa.Column(
            "hash",
            sa.LargeBinary(),
            comment="Keyed hash of this entry and of the hash before it.",
        ),
    )
    # Entries from before the chain have no number: two of them are not the same.
    op.create_index(
        "uq_audit_entry_org_id_number",
        "audit_entry",
        ["org_id", "number"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("number IS NOT NULL"),
    )


def _logins() -> None:
    op.drop_table("refresh_token")
    _table(
        "login",
        _user(),
        sa.Column(
            "organization_id",
            sa.BigInteger(),
            sa.ForeignKey("organization.id", name="fk_login_organization_id"),
            nullable=False,
            comment="The organization it is signed in to right now.",
        ),
        sa.Column("sid", sa.Uuid(), nullable=False, comment="What access tokens name."),
        sa.Column(
            "method",
            sa.String(),
            nullable=False,
            comment="password, or the sign-on provider's name",
        ),
        sa.Column("address", sa.String()),
        sa.Column("user_agent", sa.String()),
        sa.Column("last_used_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        unique=("sid",),
        indexes=("user_id",),
    )
    _table(
        "refresh_token",
        sa.Column(
            "login_id",
            sa.BigInteger(),
            sa.ForeignKey("login.id", name="fk_refresh_token_login_id"),
            nullable=False,
        ),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        unique=("token_hash",),
        indexes=("login_id",),
    )


def _accounts() -> None:
    _table(
        "account_token",
        _user(),
        sa.Column("purpose", sa.String(), nullable=False, comment="reset or verify"),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        unique=("token_hash",),
        indexes=("user_id",),
    )
    _table(
        "identity",
        _user(),
        sa.Column("provider", sa.String(), nullable=False, comment="google, github, oidc or saml"),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column(
            "email",
            sa.String(),
            nullable=False,
            comment="As the provider said it at the last sign-in.",
        ),
        unique=("issuer", "subject"),
        indexes=("user_id",),
    )


def _owned() -> None:
    _table(
        "invitation",
        _organization(),
        sa.Column("email", sa.String(), nullable=False, comment="Lower case."),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        _user("invited_by"),
        sa.Column(
            "mailed",
            sa.Boolean(),
            nullable=False,
            comment="The link went to the address alone, so that whoever has it owns the address.",
        ),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("accepted_at", TIME),
        sa.Column("revoked_at", TIME),
        indexes=("token_hash",),
    )
    _table(
        "api_key",
        _organization(),
        sa.Column("name", sa.String(), nullable=False),
        _user(comment="Who made it."),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", JSON, nullable=False, comment="Permissions."),
        sa.Column("expires_at", TIME),
        sa.Column("last_used_at", TIME),
        sa.Column("revoked_at", TIME),
        unique=("org_id", "id"),
    )


def _table(
    name: str, *columns: sa.Column, unique: Sequence[str] = (), indexes: Sequence[str] = ()
) -> None:
    """A table with an identity key and the time of creation; foreign keys are named by rule."""
    constraint = sa.UniqueConstraint(*unique, name=f"uq_{name}_{'_'.join(unique)}")
    op.create_table(
        name,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        *([constraint] if unique else []),
    )
    for column in indexes:
        op.create_index(f"ix_{name}_{column}", name, [column])


def _user(column: str = "user_id", comment: str | None = None) -> sa.Column:
    return sa.Column(
        column, sa.BigInteger(), sa.ForeignKey("user.id"), nullable=False, comment=comment
    )


def _organization() -> sa.Column:
    return sa.Column("org_id", sa.BigInteger(), sa.ForeignKey("organization.id"), nullable=False)


def _policy(table: str, name: str, condition: str, command: str = "ALL") -> None:
    op.execute(f'CREATE POLICY {name} ON "{table}" FOR {command} USING ({condition})')


def downgrade() -> None:
    for table in ("refresh_token", "login", "account_token", "identity", "invitation", "api_key"):
        op.drop_table(table)
    op.execute('DROP POLICY of_platform ON "audit_entry"')
    op.drop_index("uq_audit_entry_org_id_number", "audit_entry")
    for column in ("hash", "number", "request_id", "api_key_id"):
        op.drop_column("audit_entry", column)
    op.execute("DELETE FROM audit_entry WHERE org_id IS NULL")
    op.alter_column("audit_entry", "org_id", nullable=False)
    op.drop_column("user", "platform_role")
    op.drop_column("user", "email_verified_at")
    op.alter_column("user", "password_hash", nullable=False)
    for column in ("airflow_operators", "purged_at", "purge_after", "description"):
        op.drop_column("organization", column)
    _old_refresh_tokens()


def _old_refresh_tokens() -> None:
    op.create_table(
        "refresh_token",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("organization_id", sa.BigInteger(), nullable=False),
        sa.Column("family", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME),
        sa.Column("revoked_at", TIME),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("created_at", TIME, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organization.id"], name="fk_refresh_token_organization_id"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_refresh_token_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_refresh_token"),
        sa.UniqueConstraint("token_hash", name="uq_refresh_token_token_hash"),
    )
    op.create_index("ix_refresh_token_family", "refresh_token", ["family"])
    op.create_index("ix_refresh_token_user_id", "refresh_token", ["user_id"])
    op.execute('ALTER TABLE "refresh_token" ENABLE ROW LEVEL SECURITY')
    op.execute('ALTER TABLE "refresh_token" FORCE ROW LEVEL SECURITY')
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "refresh_token" TO {SERVICE}')
    _policy("refresh_token", "of_platform", PLATFORM)
