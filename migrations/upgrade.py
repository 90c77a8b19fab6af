"""Brings the metadata database to the newest revision."""

from pathlib import Path

from alembic import command
from alembic.config import Config

HERE = Path(__file__).parent


def config(migration_database_url: str) -> Config:
    """Alembic's configuration for a database, without reading any file or environment."""
    settings = Config()
    settings.set_main_option("script_location", str(HERE).replace("%", "%%"))
    settings.attributes["url"] = migration_database_url
    return settings


def upgrade(migration_database_url: str) -> None:
    """Runs all outstanding migrations, each in its transaction.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    command.upgrade(config(migration_database_url), "head")
