"""No text of an organization reaches an Airflow template, whatever its rows hold."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.serialized_objects import DagSerialization
from etlfabric_airflow.dags import build_dags
from sample_project import Manifest, dag_spec, daily, dbt_spec

from etlfabric_core.slugs import SLUG
from etlfabric_core.specs.document import DagSpec, NodeSpec

SEEDS = (
    "{{ 7*7 }}",
    "{{ conn.etlfabric.password }}",
    "{{ var.value.secret }}",
    "{% raw %}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{# c #}",
    "${7*7}",
)


@pytest.fixture
def manifest_file(manifest: Manifest, tmp_path: Path) -> Path:
    """The sample's manifest with a seed in every text that an organization writes."""
    document = json.loads(manifest.content)
    seeds = iter(SEEDS * 1000)
    for node in (*document["nodes"].values(), *document["sources"].values()):
        for name in ("description", "raw_code", "compiled_code"):
            if name in node:
                node[name] = next(seeds)
        node["tags"] = [next(seeds)]
        node.setdefault("config", {})["tags"] = [next(seeds)]
        node["meta"] = node["config"]["meta"] = {next(seeds): next(seeds)}
        for column in node.get("columns", {}).values():
            column["description"] = next(seeds)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def dags(manifest: Manifest, manifest_file: Path) -> list[DAG]:
    """The DAG of a whole workflow and of a part of it."""
    part = daily(slug="part", select=("load_orders",))
    spec = dag_spec(dbt=dbt_spec(manifest, "m" * 64), schedules=(daily(), part))
    return build_dags(spec, lambda _: manifest_file)


def test_every_task_is_without_template_fields(dags: list[DAG]) -> None:
    tasks = [task for dag in dags for task in dag.tasks]
    assert {type(task).__name__ for task in tasks} == {
        "BeginTask",
        "LoadTask",
        "DbtTask",
        "EmptyOperator",
        "EndTask",
    }
    for task in tasks:
        assert tuple(task.template_fields) == (), task.task_id
        assert tuple(task.template_ext) == (), task.task_id
        # Cosmos' own operators template env, select, vars and more; none of them is there.
        assert not any("cosmos" in base.__module__ for base in type(task).__mro__), task.task_id


def test_rendering_changes_and_reveals_nothing(dags: list[DAG]) -> None:
    for task in (task for dag in dags for task in dag.tasks):
        before = texts_of(task)
        task.render_template_fields(context())
        assert texts_of(task) == before, task.task_id


def test_no_seed_is_in_what_airflow_stores(dags: list[DAG]) -> None:
    for dag in dags:
        stored = json.dumps(DagSerialization.to_dict(dag), default=str)
        for seed in (*SEEDS, "{{", "{%"):
            assert json.dumps(seed)[1:-1] not in stored
        assert "'49'" not in stored


def test_the_dag_itself_renders_nothing(dags: list[DAG]) -> None:
    for dag in dags:
        assert dag.user_defined_macros is None
        assert dag.user_defined_filters is None
        assert dag.template_searchpath is None
        assert not dag.params
        assert not dag.doc_md
        assert {task.doc_md for task in dag.tasks} == {None}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_in_an_id_is_refused(seed: str) -> None:
    """Ids are the only text of an organization that a spec has, and they are slugs."""
    assert not SLUG.fullmatch(seed)
    nodes = (NodeSpec(slug=seed, kind="pipeline"),)
    with pytest.raises(Exception, match=r"alphanumeric|exceed|characters|can only contain"):
        build_dags(dag_spec(nodes=nodes), lambda _: Path())


def test_a_spec_has_no_text_of_an_organization_but_ids() -> None:
    """A new field of a spec has to be looked at here before it can reach a task."""
    assert set(DagSpec.model_fields) == {
        "version", "org", "workflow", "revision", "dag_id", "nodes", "dbt", "schedules", "pool",
    }  # fmt: skip
    assert set(NodeSpec.model_fields) == {"slug", "kind", "upstream", "retries", "timeout_s"}


def test_the_probe_sees_a_template_where_there_is_one() -> None:
    """The check can fail: an operator with a template field is rendered by the same call."""

    class Careless(BaseOperator):
        template_fields = ("text",)

        def __init__(self, *, text: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.text = text

    with DAG("careless", start_date=datetime(2024, 1, 1, tzinfo=UTC)):
        task = Careless(task_id="task", text=SEEDS[0])
    task.render_template_fields(context())
    assert task.text == "49"


def texts_of(task: BaseOperator) -> list[str]:
    return sorted(_texts(vars(task)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in ("dag", "_dag", "task_group", "_BaseOperator__instantiated"):
                yield from _texts(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _texts(item)


def context() -> dict[str, Any]:
    return {"conn": None, "var": None, "params": {}}
