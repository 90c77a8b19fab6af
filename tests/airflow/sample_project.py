"""A small dbt project, parsed by the real dbt, and specs for it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from etlfabric_core.specs.document import DagSpec, DbtSpec, NodeSpec, ScheduleSpec

FILES = {
    "dbt_project.yml": "name: shop\nversion: '1.0'\nprofile: shop\n",
    "profiles.yml": (
        "shop: {target: t, outputs: {t: {type: postgres, host: h, user: u, password: p,"
        " port: 1, dbname: d, schema: s, threads: 1}}}\n"
    ),
    "models/sources.yml": (
        "version: 2\nsources:\n  - name: raw\n    tables: [{name: orders}, {name: customers}]\n"
    ),
    "models/stg_orders.sql": "select * from {{ source('raw', 'orders') }}",
    "models/stg_customers.sql": (
        "{{ config(materialized='ephemeral') }}select * from {{ source('raw', 'customers') }}"
    ),
    "models/sales.sql": "select * from {{ ref('stg_orders') }}, {{ ref('stg_customers') }}",
    "models/calendar.sql": "select 1 as day",
    "snapshots/history.sql": (
        "{% snapshot history %}{{ config(target_schema='s', unique_key='id', strategy='check',"
        " check_cols='all') }}select * from {{ source('raw', 'orders') }}{% endsnapshot %}"
    ),
    "models/schema.yml": """
version: 2
models:
  - name: stg_orders
    description: "{{ '{{ conn.secret.password }}' }}"
    columns:
      - name: id
        data_tests:
          - unique
          - not_null
          - relationships: {arguments: {to: ref('sales'), field: id}}
""",
    "tests/no_orphans.sql": "select * from {{ ref('sales') }} where 1 = 0",
}


@dataclass(frozen=True)
class Manifest:
    """The bytes of `manifest.json` and the unique ids by name."""

    content: bytes
    ids: dict[str, str]


def parse_project(folder: Path) -> Manifest:
    """Run `dbt parse` in a process of its own."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    subprocess.run(
        [Path(sys.executable).parent / "dbt", "--quiet", "parse", "--profiles-dir", folder],
        cwd=folder,
        env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "False"},
        check=True,
        timeout=180,
    )
    content = (folder / "target" / "manifest.json").read_bytes()
    parsed = json.loads(content)
    nodes = {**parsed["nodes"], **parsed["sources"]}
    return Manifest(content, {node["name"]: unique_id for unique_id, node in nodes.items()})


def dbt_spec(manifest: Manifest, sha256: str) -> DbtSpec:
    """Orders are loaded by `load_orders`, customers by `load_customers`."""
    models = ("stg_orders", "stg_customers", "sales", "calendar", "history")
    return DbtSpec(
        project_sha256="0" * 64,
        manifest_sha256=sha256,
        loads={
            "source.shop.raw.orders": "load_orders",
            "source.shop.raw.customers": "load_customers",
        },
        models={manifest.ids[name]: name for name in models},
    )


def dag_spec(
    org: str = "acme",
    workflow: str = "daily",
    revision: int = 1,
    *,
    dbt: DbtSpec | None = None,
    **changes: object,
) -> DagSpec:
    """A workflow of two loads, the second after the first, and what `dbt` adds."""
    loads = (
        NodeSpec(slug="load_customers", kind="pipeline"),
        NodeSpec(slug="load_orders", kind="pipeline", retries=2),
    )
    models = tuple(
        NodeSpec(slug=slug, kind="dbt_model") for slug in (dbt.models.values() if dbt else ())
    )
    fields = {
        "org": org,
        "workflow": workflow,
        "revision": revision,
        "dag_id": f"{org}.{workflow}",
        "nodes": tuple(sorted(loads + models, key=lambda node: node.slug)),
        "dbt": dbt,
        "schedules": (daily(),),
        "pool": f"org_{org}",
    }
    return DagSpec.model_validate({**fields, **changes})


def daily(missed_runs: str = "run_once", **changes: object) -> ScheduleSpec:
    """Every day at five in New York."""
    fields = {
        "cron": "0 5 * * *",
        "timezone": "America/New_York",
        "missed_runs": missed_runs,
        "start": datetime(2024, 1, 1, tzinfo=UTC),
    }
    return ScheduleSpec.model_validate({**fields, **changes})
