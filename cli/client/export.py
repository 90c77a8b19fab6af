"""Writes what an organization has as a project file that `apply` reads back."""

from pathlib import Path
from typing import Any

import yaml

from cli.client.project import FILE_NAME
from cli.client.service import Service


def export(service: Service, folder: Path) -> Path:
    """Write `etlfabric.yml` and the SQL files. Returns the YAML file.

    Secrets are written as `${VARIABLES}` and uploads by file name: neither leaves the service.

    Raises:
        ClientError: the service refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    connections = {item["id"]: item for item in service.items("/connections")}
    uploads = {item["id"]: item["filename"] for item in service.items("/uploads")}
    document = {
        "connections": [
            _connection(item, uploads) for item in connections.values() if not item["managed"]
        ],
        "workflows": [
            _workflow(service, item, connections, folder) for item in service.items("/workflows")
        ],
    }
    file = folder / FILE_NAME
    file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100))
    return file


def _connection(item: dict[str, Any], uploads: dict[int, str]) -> dict[str, Any]:
    config = dict(item["config"])
    part = {key: item[key] for key in ("slug", "name", "connector", "direction")}
    if files := config.pop("uploads", None):
        part["files"] = [uploads[upload] for upload in files]
    part["config"] = config
    variable = item["slug"].upper()
    part["secrets"] = {name: f"${{{variable}_{name.upper()}}}" for name in item["secrets"]}
    return part


def _workflow(
    service: Service, item: dict[str, Any], connections: dict[int, Any], folder: Path
) -> dict[str, Any]:
    pipelines = list(service.items("/pipelines", workflow_id=item["id"]))
    transformations = list(service.items("/transformations", workflow_id=item["id"]))
    slugs = {node["id"]: node["slug"] for node in (*pipelines, *transformations)}
    return {
        "slug": item["slug"],
        "name": item["name"],
        "description": item["description"],
        "pipelines": [_pipeline(node, connections) for node in pipelines],
        "transformations": [_transformation(node, folder) for node in transformations],
        "edges": [
            [slugs[edge["upstream_id"]], slugs[edge["downstream_id"]]]
            for edge in service.items("/edges", workflow_id=item["id"])
        ],
        "schedules": [
            {key: each[key] for key in ("slug", "cron", "timezone", "missed_runs", "enabled")}
            | ({"node": slugs[each["node_id"]]} if each["node_id"] else {})
            for each in service.items("/schedules", workflow_id=item["id"])
        ],
    }


def _pipeline(node: dict[str, Any], connections: dict[int, Any]) -> dict[str, Any]:
    destination = connections[node["destination_connection_id"]]
    return {
        **{key: node[key] for key in ("slug", "name", "description", "dataset", "retries")},
        "source": connections[node["source_connection_id"]]["slug"],
        **({} if destination["managed"] else {"destination": destination["slug"]}),
        "config": node["config"],
    }


def _transformation(node: dict[str, Any], folder: Path) -> dict[str, Any]:
    config = dict(node["config"])
    file = Path("models" if node["kind"] == "dbt_model" else "snapshots", f"{node['slug']}.sql")
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(config.pop("sql"))
    return {
        **{key: node[key] for key in ("slug", "name", "kind", "description", "dataset", "retries")},
        "sql": str(file),
        "config": config,
    }
