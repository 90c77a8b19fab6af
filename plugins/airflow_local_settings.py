"""Imports that the children of an Airflow process shall inherit instead of paying for them.

Airflow imports this module at the start of every process (it is in the plugins folder).
`ETLFABRIC_PRELOAD` says what to import: `tasks` for the scheduler, whose LocalExecutor forks the
tasks, `dags` for the dag-processor, which forks a child per parsed file; unset for all others.
dbt is not among them: it waits, already imported, in the sandbox's fork server, a clean process
that is started here once for all tasks. Nothing here opens a connection or starts a thread.
"""

import importlib
import os

_DAGS = ("cosmos", "cosmos.airflow.graph", "etlfabric_airflow.dbt_group")
_GROUPS = {
    "dags": ("etlfabric_airflow.factory", *_DAGS),
    "tasks": (
        "etlfabric_airflow.factory",
        *_DAGS,
        "dlt",
        "dlt.sources.sql_database",
        "dlt.destinations",
    ),
}

__all__: list[str] = []


def _preload(group: str) -> None:
    for module in _GROUPS[group]:
        importlib.import_module(module)
    if group == "tasks":
        importlib.import_module("etlfabric_core.sandbox.server").ensure()


if os.environ.get("ETLFABRIC_PRELOAD"):
    _preload(os.environ["ETLFABRIC_PRELOAD"])
