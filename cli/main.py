"""The `etlfabric` command: the local stack, and a client of the service's API."""

import typer

from cli import demo
from cli.client import commands as client
from cli.operator import accounts, audit, keys, platform
from cli.stack import commands as stack

app = typer.Typer(
    name="etlfabric",
    help="Load, transform and schedule data: the local stack, and a client of the API.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
stack.register(app)
client.register(app)
demo.register(app)
platform.register(app)
accounts.register(app)
audit.register(app)
keys.register(app)

if __name__ == "__main__":
    app()
