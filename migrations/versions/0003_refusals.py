"""What the DAG factory refused.

Revision: 0003
Follows: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_unique_constraint("uq_publication_org_id_id", "publication", ["org_id", "id"])
    op.create_table(
        "refusal",
        sa.Column("publication_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f("fk_refusal_org_id")),
        sa.ForeignKeyConstraint(
            ["org_id", "publication_id"],
            ["publication.org_id", "publication.id"],
            name=op.f("fk_refusal_org_id_publication_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refusal")),
        sa.UniqueConstraint(
            "org_id", "publication_id", name=op.f("uq_refusal_org_id_publication_id")
        ),
    )
    op.execute("ALTER TABLE refusal ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE refusal FORCE ROW LEVEL SECURITY")
    op.execute("GRANT SELECT, INSERT, UPDATE ON refusal TO etlfabric_service")
    op.execute(
        "CREATE POLICY of_organization ON refusal FOR ALL "
        "USING (org_id = nullif(current_setting('app.org_id', true), '')::bigint)"
    )


def downgrade() -> None:
    op.drop_table("refusal")
    op.drop_constraint("uq_publication_org_id_id", "publication")
