"""A newer version of a file of a connection: how its header differs, and whom that breaks."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.db.scope import org_select
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.extract_load.plan import FileRef
from etlfabric_core.files.drift import drift
from etlfabric_core.files.formats import named
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.expressions import parse
from etlfabric_core.graph.resources import ResourceConfig
from etlfabric_core.models import Connection, Node
from etlfabric_core.services import connection_fields, connections, probe, uploads
from etlfabric_core.services.probe import Prober

CONNECTOR = "csv"


async def compare(prober: Prober, id: int, upload_id: int) -> dict[str, Any]:
    """The header of an upload beside that of the connection's file of the same name.

    `broken` are resources of pipelines that name columns which are gone.

    Raises:
        NotFound: no such connection or upload.
        InvalidConfig: the connection is none of CSV files, or has no file of that name.
        TerminalError, TransientError: a file cannot be read.
    """
    async with prober.opened() as session:
        connection = await connections.get(session, id)
        if connection.connector != CONNECTOR:
            raise _wrong("connection_id", "only CSV files have a header to compare")
        endpoint = await connections.resolve_endpoint(
            session, connection, box=prober.box, allowed=prober.allowed
        )
        upload = await uploads.get(session, upload_id)
        former = next((one for one in endpoint.files if one.name == upload.filename), None)
        if former is None:
            raise _wrong("upload_id", f"the connection has no file '{upload.filename}'")
        using = await _resources(session, connection, former)
    newer = connection_fields.file_ref(upload).model_copy(update={"name": f"{former.name} (new)"})
    both = endpoint.model_copy(update={"files": (former, newer)})
    headers = await probe.ask(prober, "headers", both)
    before, after = headers[former.name], headers[newer.name]
    return {
        "filename": former.name,
        "before": before,
        "after": after,
        **asdict(drift(before, after)),
        "broken": [one for one in _broken(using, before, after) if one["columns"]],
    }


async def _resources(
    session: AsyncSession, connection: Connection, file: FileRef
) -> list[tuple[Node, ResourceConfig]]:
    """The resources of pipelines that read the file."""
    statement = org_select(Node).where(Node.source_connection_id == connection.id)
    nodes = (await session.scalars(statement.order_by(Node.id))).all()
    return [
        (node, resource)
        for node in nodes
        for resource in PipelineConfig.model_validate(node.config).resources
        if named([file.name], resource.source or resource.name) == file.name
    ]


def _broken(
    using: Iterable[tuple[Node, ResourceConfig]], before: Sequence[str], after: Sequence[str]
) -> Iterable[dict[str, Any]]:
    gone = [name for name in before if name not in after]
    for node, resource in using:
        wanted = _wanted(resource)
        yield {
            "pipeline_id": node.id,
            "pipeline": node.name,
            "resource": resource.name,
            "columns": [name for name in gone if name in wanted],
        }


def _wanted(resource: ResourceConfig) -> set[str]:
    """The columns of the source without which a resource cannot be loaded."""
    sources = {column.name: name for name, column in resource.columns.items() if column.name}
    by_new_name = set(resource.primary_key)
    for calculated in resource.calculated.values():
        by_new_name |= parse(calculated.expression).columns
    wanted = {sources.get(name, name) for name in by_new_name}
    wanted |= set(resource.columns) | {one.column for one in resource.filters}
    return wanted | ({resource.cursor.column} if resource.cursor else set())


def _wrong(field: str, words: str) -> InvalidConfig:
    return InvalidConfig(
        f"{field}: {words}",
        hint="name a connection of CSV files, and a newer version of one of them",
        problems=[Problem(words, field=field)],
    )
