"""What the SQL of a transformation may set about itself in `config(...)`: what is listed here."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from etlfabric_core.errors import InvalidConfig, Problem

MAY_SET = frozenset(
    {
        "tags",
        "full_refresh",
        "indexes",
        "on_schema_change",
        "incremental_strategy",
        "incremental_predicates",
        "merge_update_columns",
        "merge_exclude_columns",
        "hard_deletes",
        "invalidate_hard_deletes",
        "dbt_valid_to_current",
        "snapshot_meta_column_names",
    }
)
TESTS_MAY_SET = frozenset({"tags", "where", "limit", "fail_calc", "warn_if", "error_if"})
# What dbt fills in by itself where nobody sets anything; empty values are never a setting.
_DEFAULTS: dict[str, Any] = {
    "enabled": True,
    "lookback": 1,
    "on_configuration_change": "apply",
    "docs": {"show": True, "node_color": None},
    "contract": {"enforced": False, "alias_types": True},
    "access": "protected",
    "strategy": "check",
    "store_failures": True,
    "store_failures_as": "table",
}
_TABLES = ("model.", "snapshot.")
_TEST_HEADER = re.compile(r"\{\{ config\(severity='(\w+)', alias='(\w+)', meta=\{'node': '(\w+)'\}")


def check(files: Mapping[str, str], manifest: Mapping[str, Any]) -> None:
    """Refuse what the SQL says about itself beyond `MAY_SET`: hooks, grants, other names, places.

    Raises:
        InvalidConfig: each problem has the node and, where it can be found, the line.
    """
    properties = yaml.safe_load(files["models/properties.yml"])
    entries = [*properties.get("models", ()), *properties.get("snapshots", ())]
    wanted = {entry["name"]: entry["config"] for entry in entries}
    there = {node["name"] for key, node in manifest["nodes"].items() if key.startswith(_TABLES)}
    problems = [
        Problem("the SQL switches the node off; take enabled=false away", node=slug)
        for slug in sorted(wanted.keys() - there)
    ]
    problems += [_switched_off(one) for one in _disabled_tests(manifest)]
    for key, node in manifest["nodes"].items():
        if key.startswith(_TABLES):
            problems += _table_problems(node, wanted.get(node["name"]))
        elif node["original_file_path"] in files and key.startswith("test."):
            problems += _test_problems(node, files)
    if problems:
        raise InvalidConfig(
            "the SQL contradicts the transformation",
            hint=f"config() in SQL may set {', '.join(sorted(MAY_SET))}",
            problems=problems,
        )


def _table_problems(node: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> list[Problem]:
    if wanted is None:
        slug = Path(node["original_file_path"]).stem
        return [Problem(f"'{node['name']}' is defined inside this node's SQL", node=slug)]
    meant: dict[str, Any] = {"materialized": "snapshot", "alias": node["name"], **wanted}
    said = {**node["config"], "alias": node["alias"], "schema": node["schema"]}
    return list(_beyond(said, meant, MAY_SET, node, node["name"]))


def _test_problems(node: Mapping[str, Any], files: Mapping[str, str]) -> list[Problem]:
    """A singular test, whose first line is ours. Tests of columns are ours altogether."""
    path = node["original_file_path"]
    header = _TEST_HEADER.match(files[path])
    if not path.startswith("tests/") or header is None:
        return []
    slug, _, _ = Path(path).stem.partition("__")
    settings = yaml.safe_load(files["dbt_project.yml"])["data_tests"]
    meant = {
        "severity": header.group(1),
        "alias": header.group(2),
        "meta": {"node": header.group(3)},
        "schema": settings["+schema"],
        "materialized": "test",
    }
    said = {**node["config"], "alias": node["alias"], "schema": node["schema"]}
    return list(_beyond(said, meant, TESTS_MAY_SET, node, slug))


def _beyond(
    said: Mapping[str, Any],
    meant: Mapping[str, Any],
    may_set: frozenset[str],
    node: Mapping[str, Any],
    slug: str,
) -> Iterator[Problem]:
    for name, value in sorted(said.items()):
        if name in meant:
            if value != meant[name]:
                text = f"the SQL sets {name}='{value}'; set it on the transformation instead"
                yield Problem(text, node=slug, line=_line(node, name))
        elif name not in may_set and not _is_untouched(name, value):
            text = f"the SQL sets {name.replace('-', '_')}, which SQL may not set"
            yield Problem(text, node=slug, line=_line(node, name))


def _is_untouched(name: str, value: Any) -> bool:
    if name in _DEFAULTS:
        return bool(value == _DEFAULTS[name])
    return not value or (isinstance(value, dict) and not any(value.values()))


def _line(node: Mapping[str, Any], name: str) -> int | None:
    mention = re.compile(rf"\b{name.replace('-', '[-_]')}\b")
    lines = enumerate(node["raw_code"].splitlines(), 1)
    return next((number for number, line in lines if mention.search(line)), None)


def _disabled_tests(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for key, nodes in manifest["disabled"].items():
        if key.startswith("test."):
            yield from nodes


def _switched_off(node: Mapping[str, Any]) -> Problem:
    slug, _, test = Path(node["original_file_path"]).stem.partition("__")
    return Problem(f"the SQL switches test '{test}' off", node=slug, line=_line(node, "enabled"))
