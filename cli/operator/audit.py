"""Commands for the audit log: is it whole?"""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.stack.commands import explained
from etlfabric_core.errors import InvalidConfig

if TYPE_CHECKING:
    from etlfabric_core.db.engine import Sessions
    from etlfabric_core.settings import Settings

Organization = Annotated[
    str | None,
    typer.Option(help="Slug, or (platform) for what belongs to none; by default all of them."),
]
Expect = Annotated[
    str | None,
    typer.Option(help="NUMBER:HASH that was printed before: the log must still hold it."),
]


def register(app: typer.Typer) -> None:
    """Add `audit` to the application."""
    group = typer.Typer(help="The audit log.", no_args_is_help=True)
    group.callback()(lambda: None)  # else the only command would stand for the group
    group.command("verify", help=verify.__doc__)(explained(verify))
    app.add_typer(group, name="audit")


def verify(organization: Organization = None, expect: Expect = None) -> None:
    """Check that no entry was changed, removed, moved or added behind the service's back.

    Note the printed head elsewhere: with it, a log that was set back to an older state is found.
    """
    # Inside: other commands do not wait for the database's libraries.
    from cli.operator import chains, database
    from etlfabric_core.services.audit_check import Head

    if expect and not organization:
        raise InvalidConfig("--expect is the head of one log", hint="name its --organization")
    head = Head.parse(expect) if expect else None

    async def work(settings: "Settings", sessions: "Sessions") -> bool:
        return await chains.verify(sessions, organization, head)

    if not database.run(work):
        raise typer.Exit(1)
