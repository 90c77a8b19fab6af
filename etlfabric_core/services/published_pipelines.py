"""A pipeline as its published revision has it, and where that loads to."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.principal import Principal
from etlfabric_core.db.scope import get_owned, org_select
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.models import Node, Revision, Workflow
from etlfabric_core.services import connections, dag_ids, pipelines
from etlfabric_core.services.probe import Prober
from etlfabric_core.services.run_context import destination_of, pipeline_name
from etlfabric_core.slugs import physical_dataset
from etlfabric_core.specs.state import NodeSnapshot


@dataclass(frozen=True)
class PublishedPipeline:
    """What runs now: `pipeline` is its name at the destination, `dataset` the schema there."""

    node: Node
    config: PipelineConfig
    pipeline: str
    dataset: str
    endpoint: Endpoint


async def published(prober: Prober, principal: Principal, id: int) -> PublishedPipeline | None:
    """None: the pipeline is not in the published revision.

    Raises:
        NotFound: no such pipeline, or its destination is gone.
        InvalidConfig, TransientError: the host of the destination must not be connected to, or
            cannot be looked up.
    """
    async with prober.opened() as session:
        node = await pipelines.get(session, id)
        snapshot = await _snapshot(session, node)
        if snapshot is None:
            return None
        destination = await destination_of(session, snapshot)
        endpoint = await connections.resolve_endpoint(
            session, destination, box=prober.box, allowed=prober.allowed
        )
    dataset = snapshot.dataset
    if destination.managed:
        dataset = physical_dataset(principal.org_slug, dataset)
    return PublishedPipeline(
        node=node,
        config=PipelineConfig.model_validate(snapshot.config),
        pipeline=pipeline_name(principal.org_slug, node.slug),
        dataset=dataset,
        endpoint=endpoint,
    )


async def _snapshot(session: AsyncSession, node: Node) -> NodeSnapshot | None:
    workflow = await get_owned(session, Workflow, node.workflow_id)
    row = await dag_ids.publication(session, workflow)
    if row is None or row.spec is None:
        return None
    revision = await session.scalar(
        org_select(Revision).where(
            Revision.workflow_id == workflow.id, Revision.number == row.revision_number
        )
    )
    found = revision and revision.nodes.get(node.slug)
    return NodeSnapshot.model_validate(found) if found else None
