"""The commands that start, show and stop the local stack."""

import json
import os
import shlex
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from cli.stack import control, credentials
from cli.stack.environment import OPERATOR_ACCOUNT, Environment
from cli.stack.layout import Layout, python
from etlfabric_core.errors import FabricError

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ROW = "{:18} {:10} {:9} {:>8} {:>9}"


def explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """A FabricError becomes a message on standard error and exit code 1."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except FabricError as error:
            typer.secho(error.message, err=True, fg=typer.colors.RED)
            if error.hint:
                typer.echo(f"  what to do: {error.hint}", err=True)
            raise typer.Exit(1) from error

    return run


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (up, down, status, env):
        app.command(command.__name__, help=command.__doc__)(explained(command))
    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command("airflow", help=airflow.__doc__, context_settings=passed_on)(explained(airflow))


def up() -> None:
    """Start PostgreSQL, Airflow and the metadata service, and wait until they are healthy."""
    start_stack()


def start_stack() -> Layout:
    """`up` for other commands: the layout of the stack that is running then."""
    layout = Layout.from_environment()
    if not control.is_running(layout):
        typer.echo(f"starting the stack in {layout.var}")
    if not control.up(layout, typer.echo):
        typer.echo("already up")
    typer.echo(f"web interface and API  {layout.api_url}")
    typer.echo(f"Airflow                {layout.airflow_url}  account: {OPERATOR_ACCOUNT}")
    typer.echo(f"its password           airflow_operator_password in {layout.secrets_file}")
    return layout


def down() -> None:
    """Stop every process of the stack. The data stays."""
    layout = Layout.from_environment()
    if control.is_running(layout):
        typer.echo("stopping: running tasks have a moment to end")
    typer.echo("stopped" if control.down(layout) else "nothing was running")


def status(as_json: Json = False) -> None:
    """What runs, and whether it is healthy. Exit code 0 only if all of it is."""
    layout = Layout.from_environment()
    found = control.status(layout)
    urls = {"api_url": layout.api_url, "airflow_url": layout.airflow_url}
    parts = found["parts"].items()
    if as_json:
        typer.echo(json.dumps(found | urls | {"var": str(layout.var)}))
    elif found["running"]:
        typer.echo(ROW.format("part", "state", "healthy", "pid", "restarts"))
        for name, part in parts:
            healthy = "yes" if part["healthy"] else "no"
            pid = part["pid"] or "-"
            typer.echo(ROW.format(name, part["state"], healthy, pid, part["restarts"]))
        typer.echo(f"web interface and API {layout.api_url}, Airflow {layout.airflow_url}")
    else:
        typer.echo("nothing is running; start it with `make up`")
    if not found["running"] or not all(part["healthy"] for _, part in parts):
        raise typer.Exit(1)


def env() -> None:
    """Print what plain `airflow` needs: eval "$(etlfabric env)"."""
    for name, value in sorted(_environment().airflow().items()):
        typer.echo(f"export {name}={shlex.quote(value)}")


def airflow(context: typer.Context) -> None:
    """Run Airflow's own command line on this stack: etlfabric airflow dags list."""
    environment = os.environ | _environment().airflow()
    command = python("-m", "airflow", *context.args)
    os.execvpe(command[0], command, environment)  # noqa: S606


def _environment() -> Environment:
    layout = Layout.from_environment()
    return Environment(layout, credentials.read(layout.secrets_file))
