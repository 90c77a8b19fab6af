"""Alembic's environment: one connection, one transaction per migration, one runner at a time."""

import os

from alembic import context
from sqlalchemy import NullPool, create_engine, make_url, text

from etlfabric_core.models import Base

MIGRATION_LOCK = 7_231_940_551  # any number, the same for every runner


def _url() -> str:
    given = context.config.attributes.get("url")
    return given or os.environ["ETLFABRIC_MIGRATION_DATABASE_URL"]


def run() -> None:
    """Migrates under a lock, so that two services that start together do not collide."""
    engine = create_engine(
        make_url(_url()).set(drivername="postgresql+psycopg"), poolclass=NullPool
    )
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
            compare_server_default=False,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
