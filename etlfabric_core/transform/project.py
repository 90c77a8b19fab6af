"""Renders an organization's rows into the files of a dbt project, always the same bytes.

A model's file is the user's SQL from its first line on, so that line numbers are the user's;
everything else about it is in `properties.yml`.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.graph.configs import ColumnTest, ModelConfig, SingularTest, SnapshotConfig
from etlfabric_core.slugs import ORGANIZATION_SLUG, SLUG

_TABLE = re.compile(r"[a-z_][a-z0-9_$]{0,62}")
_PLAIN_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_REFERENCE = re.compile(
    r"(ref)\(\s*['\"](\w+)['\"]\s*\)|(source)\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]\s*\)"
)
_LONGEST_NAME = 63  # PostgreSQL's limit

_PHYSICAL_NAMES = """\
{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ custom_schema_name or target.schema }}
{%- endmacro %}
"""


@dataclass(frozen=True)
class ProjectNode:
    """A transformation. `schema` is the physical schema that its table or view gets."""

    slug: str
    kind: str
    schema: str
    config: ModelConfig | SnapshotConfig
    description: str = ""


@dataclass(frozen=True)
class ProjectSource:
    """Tables that one pipeline loads.

    `dataset` is the name that users write in `source('raw', 'flights')`, `schema` the physical
    one, `node` the slug of the pipeline.
    """

    dataset: str
    schema: str
    tables: tuple[str, ...]
    node: str


def render(
    org: str,
    nodes: Sequence[ProjectNode],
    sources: Sequence[ProjectSource],
    *,
    failures_schema: str | None = None,
) -> dict[str, str]:
    """The project's files, path → text.

    Tests keep the rows they found in `failures_schema`, by default `<org>_test_failures`. No
    schema is created by dbt: all of them have to exist. Descriptions stay out of dbt, which
    would read them as Jinja.

    Raises:
        InvalidConfig: a name cannot be used, or is used twice.
    """
    problems = _problems(org, nodes, sources)
    if problems:
        raise InvalidConfig("the dbt project cannot be written", problems=problems)
    nodes = sorted(nodes, key=lambda node: node.slug)
    schema = failures_schema or f"{org}_test_failures"
    files = {
        "dbt_project.yml": _yaml(_project(org) | _tests_keep_rows(nodes, schema)),
        "macros/physical_names.sql": _PHYSICAL_NAMES,
        "models/sources.yml": _yaml({"version": 2, "sources": _sources(sources)}),
        "models/properties.yml": _yaml(_properties(nodes)),
    }
    for node in nodes:
        if isinstance(node.config, SnapshotConfig):
            files[f"snapshots/{node.slug}.sql"] = _snapshot(node)
            continue
        files[f"models/{node.slug}.sql"] = node.config.sql
        for test in node.config.singular_tests:
            files[f"tests/{node.slug}__{test.name}.sql"] = _singular_test(node, test)
    return files


def _problems(
    org: str, nodes: Sequence[ProjectNode], sources: Sequence[ProjectSource]
) -> list[Problem]:
    problems = []
    if not ORGANIZATION_SLUG.fullmatch(org):
        problems.append(Problem(f"'{org}' is no organization slug"))
    seen: set[str] = set()
    for node in nodes:
        if not SLUG.fullmatch(node.slug):
            problems.append(Problem(f"'{node.slug}' is no slug", node=node.slug))
        if node.slug in seen:
            problems.append(Problem(f"'{node.slug}' is there twice", node=node.slug))
        seen.add(node.slug)
        problems += _test_problems(node)
    owner: dict[tuple[str, str], str] = {}
    for source in sources:
        for table in source.tables:
            first = owner.setdefault((source.dataset, table), source.node)
            if not _TABLE.fullmatch(table):
                text = f"table '{table}': dbt can read names of a-z, 0-9 and _ only"
                problems.append(Problem(text, node=source.node))
            elif first != source.node:
                text = f"table '{source.dataset}.{table}' is already loaded by '{first}'"
                problems.append(Problem(text, node=source.node))
    return problems


def _test_problems(node: ProjectNode) -> list[Problem]:
    problems = []
    for number, test in enumerate(node.config.tests):
        if test.to is not None and not _REFERENCE.fullmatch(test.to.strip()):
            text = f"'{test.to}': write ref('model') or source('dataset', 'table')"
            problems.append(Problem(text, node=node.slug, field=f"tests.{number}.to"))
    names = [test.name for test in getattr(node.config, "singular_tests", ())]
    for number, name in enumerate(names):
        field = f"singular_tests.{number}.name"
        if not SLUG.fullmatch(name):
            text = f"test name '{name}': use a-z, 0-9 and single _, at most 40, a letter first"
            problems.append(Problem(text, node=node.slug, field=field))
        elif name in names[:number]:
            problems.append(Problem(f"two tests are named '{name}'", node=node.slug, field=field))
    return problems


def _project(org: str) -> dict[str, Any]:
    return {
        "name": org,
        "version": "1.0.0",
        "config-version": 2,
        "profile": "tenant",
        "model-paths": ["models"],
        "snapshot-paths": ["snapshots"],
        "test-paths": ["tests"],
        "macro-paths": ["macros"],
        "query-comment": None,
        "flags": {
            "send_anonymous_usage_stats": False,
            "require_generic_test_arguments_property": True,
        },
    }


def _tests_keep_rows(nodes: Sequence[ProjectNode], schema: str) -> dict[str, Any]:
    """dbt warns of settings that apply to nothing, so they are left out where no test is."""
    tested = any(node.config.tests or getattr(node.config, "singular_tests", ()) for node in nodes)
    return {"data_tests": {"+store_failures": True, "+schema": schema}} if tested else {}


def _sources(sources: Sequence[ProjectSource]) -> list[dict[str, Any]]:
    tables: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for source in sources:
        for table in source.tables:
            tables[source.dataset, source.schema][table] = source.node
    return [
        {
            "name": dataset,
            "schema": schema,
            "tables": [
                {"name": table, "config": {"meta": {"node": node}}}
                for table, node in sorted(loaded.items())
            ],
        }
        for (dataset, schema), loaded in sorted(tables.items())
    ]


def _properties(nodes: Sequence[ProjectNode]) -> dict[str, Any]:
    document: dict[str, Any] = {"version": 2, "models": [], "snapshots": []}
    for node in nodes:
        key = "snapshots" if isinstance(node.config, SnapshotConfig) else "models"
        entry: dict[str, Any] = {"name": node.slug, "config": _node_config(node)}
        if columns := _columns(node):
            entry["columns"] = columns
        document[key].append(entry)
    return {key: value for key, value in document.items() if value}


def _node_config(node: ProjectNode) -> dict[str, Any]:
    config: dict[str, Any] = {"schema": node.schema, "meta": {"node": node.slug}}
    if isinstance(node.config, SnapshotConfig):
        return config | _snapshot_config(node.config)
    config["materialized"] = node.config.materialization
    if node.config.materialization == "incremental":
        config["on_schema_change"] = "append_new_columns"
        if node.config.unique_key:
            config["unique_key"] = list(node.config.unique_key)
    return config


def _snapshot_config(snapshot: SnapshotConfig) -> dict[str, Any]:
    key = list(snapshot.unique_key)
    config: dict[str, Any] = {
        "unique_key": key[0] if len(key) == 1 else key,
        "strategy": snapshot.strategy,
    }
    if snapshot.strategy == "timestamp":
        return config | {"updated_at": snapshot.updated_at}
    return config | {"check_cols": list(snapshot.check_columns) or "all"}


def _columns(node: ProjectNode) -> list[dict[str, Any]]:
    tests: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for test in node.config.tests:
        tests[test.column].append({test.type: _column_test(node, test)})
    return [
        {"name": column, "data_tests": tests[column]}
        | ({} if _PLAIN_COLUMN.fullmatch(column) else {"quote": True})
        for column in sorted(tests)
    ]


def _column_test(node: ProjectNode, test: ColumnTest) -> dict[str, Any]:
    config: dict[str, Any] = {"severity": test.severity.value, "meta": {"node": node.slug}}
    if test.where:
        config["where"] = test.where
    body: dict[str, Any] = {"config": config}
    if test.type == "accepted_values":
        body["arguments"] = {"values": list(test.values)}
    elif test.type == "relationships":
        body["arguments"] = {"to": test.to, "field": test.field}
    return body


def _snapshot(node: ProjectNode) -> str:
    return f"{{% snapshot {node.slug} %}}{node.config.sql}\n{{% endsnapshot %}}\n"


def _singular_test(node: ProjectNode, test: SingularTest) -> str:
    """One line holds our configuration and the user's first line, to keep line numbers."""
    name = f"{node.slug}__{test.name}"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        name = f"{name[:30]}_{digest}"
    header = f"severity='{test.severity.value}', alias='{name}', meta={{'node': '{node.slug}'}}"
    return f"{{{{ config({header}) }}}}{test.sql}\n"


def _yaml(document: dict[str, Any]) -> str:
    return yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=1000)
