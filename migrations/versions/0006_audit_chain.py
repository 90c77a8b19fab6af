"""Where each chain of the audit log ends, and indexes for its filters.

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SERVICE = "etlfabric_service"
CURRENT_ORG = "nullif(current_setting('app.org_id', true), '')::bigint"
PLATFORM = "coalesce(current_setting('app.platform', true), '') = 'on'"
INDEXES = {
    "ix_audit_entry_org_action": ["org_id", "action", "id"],
    "ix_audit_entry_org_user": ["org_id", "user_id", "id"],
    "ix_audit_entry_org_resource": ["org_id", "resource_type", "resource_id", "id"],
    "ix_audit_entry_org_created": ["org_id", "created_at"],
}


def upgrade() -> None:
    op.create_table(
        "audit_head",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "org_id",
            sa.BigInteger(),
            sa.ForeignKey("organization.id", name="fk_audit_head_org_id"),
        ),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column(
            "signature",
            sa.LargeBinary(),
            nullable=False,
            comment="Keyed hash of this row: a head cannot be set back to an earlier entry.",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
        sa.UniqueConstraint(
            "org_id", name="uq_audit_head_org_id", postgresql_nulls_not_distinct=True
        ),
    )
    op.execute("ALTER TABLE audit_head ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE audit_head FORCE ROW LEVEL SECURITY")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON audit_head TO {SERVICE}")
    op.execute(f"CREATE POLICY of_organization ON audit_head USING (org_id = {CURRENT_ORG})")
    op.execute(f"CREATE POLICY of_platform ON audit_head USING (org_id IS NULL AND {PLATFORM})")
    # An entry's id is part of what is hashed, so it is drawn before the entry is written.
    op.execute(f"GRANT USAGE ON SEQUENCE audit_entry_id_seq TO {SERVICE}")
    for name, columns in INDEXES.items():
        op.create_index(name, "audit_entry", columns)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "audit_entry")
    op.execute(f"REVOKE USAGE ON SEQUENCE audit_entry_id_seq FROM {SERVICE}")
    op.drop_table("audit_head")
