"""What connections said they have, and how their tests went.

Revision: 0008
Follows: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"

SERVICE = "etlfabric_service"
CURRENT_ORG = "nullif(current_setting('app.org_id', true), '')::bigint"


TABLES = ("listing", "connection_test")
PURGE = "SELECT pg_get_functiondef('public.purge_organization(bigint)'::regprocedure)"
BEFORE = "DELETE FROM public.connection WHERE org_id = purged;"  # they refer to it
PURGED = "".join(f"{BEFORE} ".replace("connection", table) for table in TABLES)


def upgrade() -> None:
    _create(
        "listing",
        sa.Column("question", sa.String(), nullable=False),
        sa.Column(
            "fingerprint",
            sa.LargeBinary(),
            nullable=False,
            comment="Of the connection's config and sealed secrets when it was asked.",
        ),
        sa.Column("answer", JSONB(none_as_null=True), nullable=False),
        _time("listed_at"),
        sa.UniqueConstraint(
            "org_id",
            "connection_id",
            "question",
            name=op.f("uq_listing_org_id_connection_id_question"),
        ),
    )
    _create(
        "connection_test",
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("hint", sa.String()),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.Column("server_version", sa.String()),
        sa.Column(
            "missing",
            JSONB(none_as_null=True),
            nullable=False,
            comment="Rights that the user lacks, with remedies.",
        ),
    )
    op.create_index(
        "ix_connection_test_org_connection", "connection_test", ["org_id", "connection_id", "id"]
    )
    _rewrite_purge(BEFORE, PURGED + BEFORE)


def downgrade() -> None:
    _rewrite_purge(PURGED + BEFORE, BEFORE)
    for table in TABLES:
        op.drop_table(table)


def _rewrite_purge(old: str, new: str) -> None:
    """Changes these words of the function and no others, whoever added what to it before."""
    definition = op.get_bind().exec_driver_sql(PURGE).scalar_one()
    if old not in definition:
        raise RuntimeError(f"purge_organization does not hold: {old}")
    op.get_bind().exec_driver_sql(definition.replace(old, new).replace("%", "%%"))


def _create(table: str, *items: sa.schema.SchemaItem) -> None:
    """A table of things that belong to a connection, behind row-level security."""
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        _time("created_at"),
        sa.Column("org_id", sa.BigInteger(), nullable=False),
        sa.Column("connection_id", sa.BigInteger(), nullable=False),
        *items,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(["org_id"], ["organization.id"], name=op.f(f"fk_{table}_org_id")),
        sa.ForeignKeyConstraint(
            ["org_id", "connection_id"],
            ["connection.org_id", "connection.id"],
            name=op.f(f"fk_{table}_org_id_connection_id"),
        ),
    )
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {SERVICE}")
    op.execute(f"CREATE POLICY of_organization ON {table} FOR ALL USING (org_id = {CURRENT_ORG})")


def _time(name: str) -> "sa.Column[sa.DateTime]":
    now = sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=now, nullable=False)
