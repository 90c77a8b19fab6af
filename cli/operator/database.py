"""The metadata database of an installation, for commands that need no signed-in user."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cli.stack import credentials
from cli.stack.environment import Environment
from cli.stack.layout import PROJECT, Layout
from etlfabric_core.audit_keys import AuditKeys
from etlfabric_core.db.engine import Sessions, make_engine, make_sessions
from etlfabric_core.settings import Settings

PREFIX = "ETLFABRIC_"
Result = TypeVar("Result")
Work = Callable[[Settings, Sessions], Awaitable[Result]]


def read_settings() -> Settings:
    """The service's own: from the environment when it names a database, else the local stack's.

    Raises:
        InvalidConfig: neither is there.
    """
    if f"{PREFIX}DATABASE_URL" in os.environ:
        return Settings()
    layout = Layout.from_environment()
    found = Environment(layout, credentials.read(layout.secrets_file)).service()
    # Through the environment, where settings that are JSON are read as such; this process lives
    # for one command.
    os.environ.update({name: found[name] for name in found if name.startswith(PREFIX)})
    return Settings(_env_file=PROJECT / ".env")


def run(work: Work[Result]) -> Result:
    """What `work` answers, given the settings and sessions of the service's database role.

    Raises:
        InvalidConfig: no installation is described here.
    """
    return asyncio.run(_run(work, read_settings()))


async def _run(work: Work[Result], settings: Settings) -> Result:
    engine = make_engine(settings.database_url.get_secret_value())
    audit_keys = AuditKeys(settings.audit_keys.get_secret_value())
    try:
        return await work(settings, make_sessions(engine, audit_keys))
    finally:
        await engine.dispose()
