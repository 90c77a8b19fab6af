"""From the state of a workflow to its DagSpec: pure, and the same bytes for the same state."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable

from etlfabric_core.graph.topology import EdgePair
from etlfabric_core.slugs import dag_id
from etlfabric_core.specs.document import DagSpec, DbtSpec, NodeSpec
from etlfabric_core.specs.state import NOT_CONTENT, Snapshots, WorkflowState


def compile_workflow(
    state: WorkflowState, *, revision: int, dbt: DbtSpec | None, edges: Iterable[EdgePair]
) -> DagSpec:
    """The document of a revision. `edges` are those that dbt derived from ref() and source().

    Ends of edges outside the workflow are left out: a table of another workflow is read as it is.
    """
    upstream: dict[str, set[str]] = defaultdict(set)
    for above, below in (*state.drawn, *edges):
        if above in state.nodes and below in state.nodes:
            upstream[below].add(above)
    return DagSpec(
        org=state.org,
        workflow=state.workflow,
        revision=revision,
        dag_id=dag_id(state.org, state.workflow),
        nodes=tuple(
            NodeSpec(
                slug=slug,
                kind=node.kind,
                upstream=tuple(sorted(upstream[slug])),
                retries=node.retries,
            )
            for slug, node in sorted(state.nodes.items())
        ),
        dbt=_inside(dbt, state) if dbt else None,
        schedules=tuple(sorted(state.schedules, key=lambda one: (one.slug or "", one.cron))),
        pool=pool_name(state.org),
    )


def pool_name(org: str) -> str:
    """The Airflow pool of an organization."""
    return f"org_{org}"


def content_hash(spec: DagSpec, nodes: Snapshots) -> str:
    """What two revisions that do the same have in common; their numbers do not count."""
    content = {
        "spec": spec.model_dump(mode="json", exclude={"revision"}),
        "nodes": {
            slug: node.model_dump(mode="json", exclude=NOT_CONTENT) for slug, node in nodes.items()
        },
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _inside(dbt: DbtSpec, state: WorkflowState) -> DbtSpec:
    loads = {key: slug for key, slug in sorted(dbt.loads.items()) if slug in state.nodes}
    return dbt.model_copy(update={"loads": loads, "models": dict(sorted(dbt.models.items()))})
