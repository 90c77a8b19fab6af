"""Accounts of an installation: a way back in without a mail server, and an end to one."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.stack.commands import explained

if TYPE_CHECKING:
    from etlfabric_core.db.engine import Sessions
    from etlfabric_core.settings import Settings

Email = Annotated[str, typer.Argument(help="Of an account that is registered.")]


def register(app: typer.Typer) -> None:
    """Add `accounts` to the application."""
    group = typer.Typer(help="The accounts of this installation.", no_args_is_help=True)
    group.command("reset-link", help=reset_link.__doc__)(explained(reset_link))
    group.command("disable", help=disable.__doc__)(explained(disable))
    app.add_typer(group, name="accounts")


def reset_link(email: Email) -> None:
    """Print a link that sets a new password: once, within the hour. Pass it on safely."""
    # Inside: other commands do not wait for the database's libraries.
    from cli.operator import database
    from etlfabric_core.db.scope import platform_session
    from etlfabric_core.services import passwords

    async def work(settings: "Settings", sessions: "Sessions") -> str:
        async with platform_session(sessions) as session:
            return await passwords.reset_link(session, email, settings.browser_url)

    typer.echo(database.run(work))


def disable(email: Email) -> None:
    """End an account: every session and API key of it ends at once, and nobody signs in with it."""
    from cli.operator import database
    from etlfabric_core.db.scope import platform_session
    from etlfabric_core.services import accounts, logins

    async def work(settings: "Settings", sessions: "Sessions") -> None:
        async with platform_session(sessions) as session:
            user = await accounts.disable(session, email)
            await logins.end_all(session, user.id)

    database.run(work)
    typer.echo(f"{email} cannot sign in any more")
