"""Columns of resources say more than a type; organizations have a key to hash values with.

Revision: 0007
Follows: 0006
"""

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

PURGE = "SELECT pg_get_functiondef('public.purge_organization(bigint)'::regprocedure)"
EMPTIED = "warehouse_password = ''"
ADDED = (
    "other_columns",
    "calculated",
    "merge_strategy",
    "contract",
    "on_bad_row",
    "max_rejected",
    "minimum_rows",
)


def upgrade() -> None:
    op.add_column(
        "organization",
        sa.Column(
            "mask_key",
            sa.LargeBinary(),
            comment="Sealed key of hashed columns; made when the first one is loaded.",
        ),
    )
    _rewrite_purge(EMPTIED, f"{EMPTIED}, mask_key = NULL")
    _rewrite_configs(_to_records)


def downgrade() -> None:
    _rewrite_configs(_to_types)
    _rewrite_purge(f"{EMPTIED}, mask_key = NULL", EMPTIED)
    op.drop_column("organization", "mask_key")


def _to_records(resource: dict[str, Any]) -> None:
    columns = resource.get("columns", {})
    resource["columns"] = {name: {"type": type_} for name, type_ in columns.items()}


def _to_types(resource: dict[str, Any]) -> None:
    columns = resource.get("columns", {})
    resource["columns"] = {name: one["type"] for name, one in columns.items() if one.get("type")}
    for name in ADDED:
        resource.pop(name, None)


def _rewrite_configs(rewrite: Callable[[dict[str, Any]], None]) -> None:
    """Those of pipelines as they are, and as revisions keep them: a published one runs on."""
    bind = op.get_bind()
    for table in ("node", "revision"):
        # The owner is bound by row-level security too, and here all organizations are meant.
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    for id, config in bind.execute(sa.text("SELECT id, config FROM node WHERE kind = 'pipeline'")):
        _store(rewrite, [config], "UPDATE node SET config = CAST(:value AS jsonb)", id, config)
    for id, nodes in bind.execute(sa.text("SELECT id, nodes FROM revision")):
        configs = [node["config"] for node in nodes.values() if node["kind"] == "pipeline"]
        _store(rewrite, configs, "UPDATE revision SET nodes = CAST(:value AS jsonb)", id, nodes)
    for table in ("node", "revision"):
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _store(
    rewrite: Callable[[dict[str, Any]], None],
    configs: list[dict[str, Any]],
    statement: str,
    id: int,
    value: dict[str, Any],
) -> None:
    for config in configs:
        for resource in config.get("resources", ()):
            rewrite(resource)
    op.get_bind().execute(
        sa.text(f"{statement} WHERE id = :id"), {"id": id, "value": json.dumps(value)}
    )


def _rewrite_purge(old: str, new: str) -> None:
    definition = op.get_bind().exec_driver_sql(PURGE).scalar_one()
    if old not in definition:
        raise RuntimeError(f"purge_organization does not hold: {old}")
    op.get_bind().exec_driver_sql(definition.replace(old, new).replace("%", "%%"))
