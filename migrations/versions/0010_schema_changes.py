"""What loads found changed, and who let it through.

Revision: 0010
Follows: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"

SERVICE = "etlfabric_service"
CURRENT_ORG = "nullif(current_setting('app.org_id', true), '')::bigint"
TABLE = "schema_change"
PURGE = "SELECT pg_get_functiondef('public.purge_organization(bigint)'::regprocedure)"
BEFORE = "DELETE FROM public.node WHERE org_id = purged;"  # it refers to it
PURGED = BEFORE.replace("node", TABLE) + " "


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        _text("table_name"),
        sa.Column(
            "changes",
            JSONB(none_as_null=True),
            nullable=False,
            comment="ColumnChange of extract_load/plan.py.",
        ),
        _text("policy", "Of the pipeline when it was found."),
        _text("state"),
        _text(
            "config_hash",
            "Of the pipeline's configuration: a rejection stands for this one alone.",
        ),
        _text("dag_id"),
        _text("run_id", "Of the run that found it."),
        sa.Column(
            "applied_run_id",
            sa.String(),
            nullable=True,
            comment="Of the last run that went on with it.",
        ),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        _text("note", "Of whoever decided."),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f(f"fk_{TABLE}_org_id")),
        sa.ForeignKeyConstraint(
            ["org_id", "node_id"],
            ["node.org_id", "node.id"],
            name=op.f(f"fk_{TABLE}_org_id_node_id"),
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["user.id"], name=op.f(f"fk_{TABLE}_decided_by")),
    )
    op.create_index(f"ix_{TABLE}_org_state", TABLE, ["org_id", "state", "id"])
    op.create_index(f"ix_{TABLE}_org_node", TABLE, ["org_id", "node_id", "id"])
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {SERVICE}")
    op.execute(f"CREATE POLICY of_organization ON {TABLE} FOR ALL USING (org_id = {CURRENT_ORG})")
    _rewrite_purge(BEFORE, PURGED + BEFORE)


def downgrade() -> None:
    _rewrite_purge(PURGED + BEFORE, BEFORE)
    op.drop_table(TABLE)


def _rewrite_purge(old: str, new: str) -> None:
    """Changes these words of the function and no others, whoever added what to it before."""
    definition = op.get_bind().exec_driver_sql(PURGE).scalar_one()
    if old not in definition:
        raise RuntimeError(f"purge_organization does not hold: {old}")
    op.get_bind().exec_driver_sql(definition.replace(old, new).replace("%", "%%"))


def _text(name: str, comment: str | None = None) -> "sa.Column[str]":
    return sa.Column(name, sa.String(), nullable=False, comment=comment)
