"""Who runs the installation: `etlfabric platform grant` makes the first platform owner."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.stack.commands import explained
from etlfabric_core.access.permissions import PlatformRole

if TYPE_CHECKING:
    from etlfabric_core.db.engine import Sessions
    from etlfabric_core.models import User
    from etlfabric_core.settings import Settings

Email = Annotated[str, typer.Argument(help="Of an account that is registered.")]
Unverified = Annotated[
    bool, typer.Option("--unverified", help="Though its owner has not confirmed the address.")
]


def register(app: typer.Typer) -> None:
    """Add `platform` to the application."""
    group = typer.Typer(help="Who runs this installation.", no_args_is_help=True)
    group.command("grant", help=grant.__doc__)(explained(grant))
    group.command("revoke", help=revoke.__doc__)(explained(revoke))
    app.add_typer(group, name="platform")


def grant(email: Email, role: PlatformRole, unverified: Unverified = False) -> None:
    """Make somebody operator or owner of the whole installation."""
    user = _set(email, role, unverified)
    # Quoted: people choose their names, and a terminal obeys some characters.
    who = f"{user.email} ({user.name!r}, registered {user.created_at:%Y-%m-%d %H:%M} UTC)"
    typer.echo(f"{who} is now {role} of this installation")


def revoke(email: Email) -> None:
    """Take that away again."""
    _set(email, None)
    typer.echo(f"{email} has no platform role any more")


def _set(email: str, role: PlatformRole | None, unverified: bool = False) -> "User":
    # Inside: other commands do not wait for the database's libraries.
    from cli.operator import database
    from etlfabric_core.db.scope import platform_session
    from etlfabric_core.services import platform

    async def work(settings: "Settings", sessions: "Sessions") -> "User":
        async with platform_session(sessions) as session:
            return await platform.grant(session, email, role, unverified=unverified)

    return database.run(work)
