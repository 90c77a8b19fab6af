"""Where an attack can stand in a project, and the command that comes to it there."""

import json
from collections.abc import Callable

from etlfabric_core.graph.configs import ModelConfig
from etlfabric_core.transform.project import ProjectNode, render
from tests.core.transform.warehouse import FLIGHTS

Files = dict[str, str]
Attacks = dict[str, str]


def guarded(words: str) -> str:
    """dbt reads the project first, without a connection; the attack waits until there is one."""
    return "{% if execute %}" + words + "{% endif %}"


def loot(words: str) -> str:
    return f"select $${words}$$::text as loot"


def base(*nodes: ProjectNode) -> Files:
    plain = ProjectNode("plain", "dbt_model", "demo_marts", ModelConfig(sql="select 1 as id"))
    return render("demo", [plain, *nodes], [FLIGHTS])


def in_models(attacks: Attacks) -> Files:
    return base() | {
        f"models/a{number}.sql": "{{ config(materialized='table') }}" + loot(guarded(words))
        for number, words in enumerate(attacks.values())
    }


def in_tests(attacks: Attacks) -> Files:
    return base() | {
        f"tests/a{number}.sql": "{{ config(store_failures=true, schema='demo_test_failures') }}"
        + loot(guarded(words))
        for number, words in enumerate(attacks.values())
    }


def in_snapshots(attacks: Attacks) -> Files:
    head = "{{ config(unique_key='loot', strategy='check', check_cols='all') }}"
    return base() | {
        f"snapshots/a{number}.sql": f"{{% snapshot a{number} %}}{head}"
        f"{loot(guarded(words))}{{% endsnapshot %}}"
        for number, words in enumerate(attacks.values())
    }


def in_sources(attacks: Attacks) -> Files:
    """Freshness evaluates `loaded_at_query` and `filter`."""
    tables_ = [
        {
            "name": f"a{number}",
            "identifier": "flights",
            "loaded_at_query": "select now() -- " + guarded(words),
            "freshness": {"warn_after": {"count": 1, "period": "day"}, "filter": guarded(words)},
        }
        for number, words in enumerate(attacks.values())
    ]
    source = {"name": "attacked", "schema": "demo_raw", "tables": tables_}
    return base() | {"models/attacked.yml": json.dumps({"version": 2, "sources": [source]})}


# Here dbt goes on after a node that failed, so one project holds all attacks.
IN_ONE_PROJECT = {
    "run": (["run"], in_models),
    "build": (["build"], in_models),
    "test": (["test"], in_tests),
    "snapshot": (["snapshot"], in_snapshots),
    "freshness": (["source", "freshness"], in_sources),
}


def in_description(words: str) -> Files:
    models = [{"name": "plain", "description": words}]
    return base() | {"models/a.yml": json.dumps({"models": models})}


def in_packages(words: str) -> Files:
    return base() | {"packages.yml": json.dumps({"packages": [{"local": words}]})}


def in_macro(words: str) -> Files:
    body = f"{{% set x %}}{words}{{% endset %}}{{{{ log(x, info=true) }}}}"
    return base() | {"macros/a.sql": f"{{% macro a() %}}{body}{{% endmacro %}}"}


# Here the first node that fails ends the command, so each attack has a project of its own.
ONE_BY_ONE: dict[str, Callable[[str], tuple[list[str], Files]]] = {
    "parse": lambda words: (["parse"], base() | {"models/a.sql": loot(words)}),
    "compile": lambda words: (["compile"], in_models({"a": words})),
    "docs": lambda words: (["docs", "generate"], in_models({"a": words})),
    "deps": lambda words: (["deps"], in_packages(words)),
}
# The product has no use for these.
OTHERS: dict[str, Callable[[str], tuple[list[str], Files]]] = {
    "descriptions": lambda words: (["parse"], in_description(words)),
    "show": lambda words: (["show", "--inline", loot(guarded(words))], base()),
    "run-operation": lambda words: (["run-operation", "a"], in_macro(words)),
}
