"""The async engine of the metadata database and its sessions."""

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from etlfabric_core.audit_keys import AuditKeys

Sessions = async_sessionmaker[AsyncSession]
AUDIT_KEYS = "audit_keys"


def async_url(url: str) -> URL:
    """The same database through asyncpg, whichever driver the setting names."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def make_engine(url: str) -> AsyncEngine:
    """An engine with a bounded pool; connections that died are replaced before use."""
    return create_async_engine(
        async_url(url),
        pool_size=10,
        max_overflow=10,
        pool_timeout=10,
        pool_pre_ping=True,
        hide_parameters=True,  # error texts reach the log
        connect_args={"server_settings": {"application_name": "etlfabric"}, "timeout": 10},
    )


def make_sessions(engine: AsyncEngine, audit_keys: AuditKeys) -> Sessions:
    """The session maker. Rows stay readable after the commit at the edge.

    Its sessions carry the keys of the audit log, because whatever changes a row notes it there.
    """
    return async_sessionmaker(engine, expire_on_commit=False, info={AUDIT_KEYS: audit_keys})
