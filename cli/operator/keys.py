"""Commands for the encryption keys: which one sealed what, and a new one while the service runs."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.stack.commands import explained

if TYPE_CHECKING:
    from etlfabric_core.db.engine import Sessions
    from etlfabric_core.settings import Settings

Timeout = Annotated[float, typer.Option(help="Seconds to wait for open transactions to end.")]


def register(app: typer.Typer) -> None:
    """Add `keys` to the application."""
    group = typer.Typer(help="The keys that secrets are sealed with.", no_args_is_help=True)
    for command in (status, rotate, reseal):
        group.command(command.__name__, help=command.__doc__)(explained(command))
    app.add_typer(group, name="keys")


def status() -> None:
    """The keys in force, and how many stored secrets each of them has sealed."""
    # Inside: other commands do not wait for the database's libraries.
    from cli.operator import database, rotation

    database.run(rotation.status)


def rotate(timeout: Timeout = 60.0) -> None:
    """Make a new key, seal every secret with it, and remove the old keys. No restart is needed.

    It can be stopped and run again at any time.
    """
    from cli.operator import database, rotation

    async def work(settings: "Settings", sessions: "Sessions") -> None:
        await rotation.rotate(settings, sessions, timeout_s=timeout)

    database.run(work)


def reseal() -> None:
    """Seal every secret with the first key and the chosen cipher; for keys in the environment."""
    from cli.operator import database, rotation

    database.run(rotation.reseal)
