"""Files that come in pieces.

Revision: 0009
Follows: 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"

SERVICE = "etlfabric_service"
CURRENT_ORG = "nullif(current_setting('app.org_id', true), '')::bigint"
PLATFORM = "coalesce(current_setting('app.platform', true), '') = 'on'"
TABLE = "partial_upload"
PURGE = "SELECT pg_get_functiondef('public.purge_organization(bigint)'::regprocedure)"
BEFORE = "DELETE FROM public.upload WHERE org_id = purged;"
PURGED = BEFORE.replace("upload", TABLE) + " "


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _time("created_at", server_default=sa.text("now()")),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "filename",
            sa.String(),
            nullable=False,
            comment="As the user called it; never a path.",
        ),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="Bytes of the whole file."),
        sa.Column("received", sa.BigInteger(), nullable=False, comment="Bytes that have come."),
        sa.Column(
            "pieces",
            JSONB(none_as_null=True),
            nullable=False,
            comment="Storage keys, in order.",
        ),
        _time("expires_at"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f(f"fk_{TABLE}_org_id")),
    )
    op.create_index(f"ix_{TABLE}_expires_at", TABLE, ["expires_at"])
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO {SERVICE}")
    op.execute(f"CREATE POLICY of_organization ON {TABLE} FOR ALL USING (org_id = {CURRENT_ORG})")
    # What has expired is forgotten for all organizations at once.
    op.execute(f"CREATE POLICY of_platform ON {TABLE} FOR ALL USING ({PLATFORM})")
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


def _time(name: str, **default: sa.TextClause) -> "sa.Column[sa.DateTime]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, **default)
