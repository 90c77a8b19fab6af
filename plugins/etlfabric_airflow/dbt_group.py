"""A workflow's dbt project as a task group, rendered by Cosmos from the manifest alone."""

import logging
import os
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import BaseOperator
from airflow.task.trigger_rule import TriggerRule
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.airflow.graph import calculate_detached_node_name
from cosmos.constants import DbtResourceType, ExecutionMode, LoadMode, TestBehavior
from cosmos.dbt.graph import DbtNode

from etlfabric_airflow import dags
from etlfabric_airflow.tasks import DbtTask
from etlfabric_core.specs.document import DagSpec, NodeSpec

GROUP = "transform"

logging.getLogger("cosmos").setLevel(logging.WARNING)


def add(spec: DagSpec, manifest: Path, members: dags.Members) -> None:
    """Render the project into the DAG that is being built.

    Adds the tasks of each transformation to `members` and makes every task wait for exactly the
    loads that its node reads.

    Raises:
        ValueError: the manifest lacks a model of the spec.
        Exception: of many kinds, from Cosmos, where the manifest is not what it should be.
    """
    converter = _Converter(spec)
    group = DbtTaskGroup(
        group_id=GROUP,
        project_config=ProjectConfig(
            manifest_path=manifest, project_name="etlfabric", install_dbt_deps=False
        ),
        # Cosmos wants a profile and a folder; our tasks use neither.
        profile_config=ProfileConfig("none", "none", profiles_yml_filepath=os.devnull),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.LOCAL, dbt_project_path=manifest.parent
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.BUILD,
            should_detach_multiple_parents_tests=True,
            emit_datasets=False,
            enable_owner_inheritance=False,
            node_converters={
                DbtResourceType.MODEL: converter.table,
                DbtResourceType.SNAPSHOT: converter.table,
                DbtResourceType.TEST: converter.test,
            },
        ),
    )
    missing = sorted(set(converter.models) - set(group.tasks_map))
    if missing:
        raise ValueError(f"the manifest lacks {', '.join(missing)}")
    graph = group.dbt_graph
    for unique_id, task in sorted(group.tasks_map.items()):  # tables come before tests
        node = graph.filtered_nodes[unique_id]
        own_tests = set(graph.tests_per_model.get(unique_id, ())) - set(group.tasks_map)
        if isinstance(task, DbtTask):
            task.unique_ids = [unique_id, *sorted(own_tests)]
        for slug in converter.owners(node):
            members[slug].append(task)
        for slug in sorted(converter.loads_of(node)):
            members[slug][0].set_downstream(task)


class _Converter:
    """Turns what Cosmos found in the manifest into our tasks: unique ids, nothing else."""

    def __init__(self, spec: DagSpec) -> None:
        assert spec.dbt is not None  # noqa: S101  (the caller checked; said for the type checker)
        self._spec = spec
        self._dbt = spec.dbt
        self.models = spec.dbt.models
        self._nodes = {node.slug: node for node in spec.nodes}

    def loads_of(self, node: DbtNode) -> set[str]:
        """The pipelines that load what a dbt node reads."""
        return {self._dbt.loads[source] for source in node.depends_on if source in self._dbt.loads}

    def owners(self, node: DbtNode) -> list[str]:
        """The nodes that a dbt node belongs to: a test to every model it looks at, and to the
        pipelines when it looks at no model.
        """
        if node.resource_type != DbtResourceType.TEST:
            return [self.models[node.unique_id]]
        models = {self.models[key] for key in node.depends_on if key in self.models}
        return sorted(models or self.loads_of(node))

    def table(self, *, node: DbtNode, task_id: str, **options: Any) -> BaseOperator:
        """A model or snapshot. An ephemeral one is only a joint in the graph."""
        if node.has_ephemeral_materialization:
            return EmptyOperator(
                task_id=task_id,
                task_group=options["task_group"],
                trigger_rule=TriggerRule.NONE_FAILED,
            )
        return self._task(node, task_id, options)

    def test(self, *, task_id: str, **options: Any) -> BaseOperator:
        """A test of several models. Cosmos passes some other `node` here: the name tells."""
        by_name = {
            calculate_detached_node_name(test): test
            for tests in options["detached_from_parent"].values()
            for test in tests
        }
        return self._task(by_name[task_id], task_id, options)

    def _task(self, node: DbtNode, task_id: str, options: dict[str, Any]) -> DbtTask:
        slug = self.owners(node)[0]
        spec = self._nodes.get(slug) or NodeSpec(slug=slug, kind="dbt_model")
        return DbtTask(
            task_id=task_id,
            task_group=options["task_group"],
            unique_ids=[node.unique_id],
            **dags.task_arguments(self._spec, spec),
        )
