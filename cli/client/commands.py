"""The commands that talk to the metadata service."""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import credentials, runs, service
from cli.client.apply import Applier
from cli.client.errors import ClientError
from cli.client.export import export as write_export
from cli.client.project import read
from cli.client.service import Service

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def explained(command: Callable[..., Any]) -> Callable[..., Any]:
    """A ClientError becomes a message on standard error and exit code 1."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except ClientError as error:
            typer.secho(str(error), err=True, fg=typer.colors.RED)
            raise typer.Exit(1) from error

    return run


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (login, apply, export, run, list_runs, logs):
        name = "runs" if command is list_runs else command.__name__
        app.command(name, help=command.__doc__)(explained(command))


def login(
    email: Annotated[str, typer.Option(prompt=True)],
    password: Annotated[
        str, typer.Option(prompt=True, hide_input=True, envvar="ETLFABRIC_PASSWORD")
    ],
    organization: Annotated[str | None, typer.Option(help="Slug, for those with several.")] = None,
    api_url: Annotated[str, typer.Option(envvar="ETLFABRIC_API_URL")] = credentials.DEFAULT_URL,
) -> None:
    """Sign in; the tokens are kept in a file that only you can read."""
    tokens = service.sign_in(api_url, email, password, organization)
    credentials.save(api_url, tokens)
    typer.echo(f"signed in to {tokens['organization']['slug']} as {tokens['role']}")


def apply(path: Annotated[Path, typer.Argument(help="A project file, or its folder.")]) -> None:
    """Make your organization look like a project file, and publish its workflows."""
    project, folder = read(path)
    Applier(Service.signed_in(), folder, typer.echo).apply(project)


def export(
    folder: Annotated[Path, typer.Argument(help="Where to write.")] = Path("etlfabric-export"),
) -> None:
    """Write your organization's connections and workflows as a project file."""
    typer.echo(f"written to {write_export(Service.signed_in(), folder)}")


def run(
    workflow: str,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end.")] = False,
    select: Annotated[list[str] | None, typer.Option(help="A node to run; repeatable.")] = None,
) -> None:
    """Run a workflow now, or some of its nodes."""
    session = Service.signed_in()
    started = runs.start(session, workflow, tuple(select or ()))
    typer.echo(f"started {started['dag_id']} {started['run_id']}")
    if wait:
        finished = runs.follow(session, started, typer.echo)
        typer.echo(finished["state"])
        if finished["state"] != "success":
            raise typer.Exit(1)


def list_runs(
    workflow: Annotated[str | None, typer.Argument()] = None,
    state: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    as_json: Json = False,
) -> None:
    """The last runs, newest first."""
    session = Service.signed_in()
    chosen = runs.workflow_named(session, workflow)["id"] if workflow else None
    page = session.get("/runs", workflow_id=chosen, state=state, limit=limit)
    if as_json:
        typer.echo(json.dumps(page["items"]))
        return
    for item in page["items"]:
        started = item["start_date"] or "-"
        typer.echo(f"{item['state']:10} {started:32} {item['dag_id']:30} {item['run_id']}")


def logs(
    dag_id: str,
    run_id: str,
    task_id: Annotated[str | None, typer.Argument(help="Without it: every task.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Say what happens, to the end.")] = False,
) -> None:
    """The logs of a run's tasks."""
    session = Service.signed_in()
    reference = {"dag_id": dag_id, "run_id": run_id}
    if follow:
        runs.follow(session, reference, typer.echo)
    detail = session.get(runs.path_of(reference))
    for task in detail["tasks"]:
        if task_id in (None, task["task_id"]) and task["try_number"]:
            typer.secho(f"--- {task['task_id']}", bold=True)
            typer.echo(runs.logs(session, reference, task["task_id"], task["try_number"]))
