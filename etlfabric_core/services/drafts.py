"""Resources that are not saved yet: what becomes of the first rows, and of the table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from etlfabric_core.access.principal import Principal
from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.loading import LoadAbility
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.extract_load.definition import differences
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.graph.resources import ResourceConfig
from etlfabric_core.services import audit, connections, nodes, probe, workflow_state
from etlfabric_core.services.probe import Prober
from etlfabric_core.slugs import physical_dataset


@dataclass(frozen=True)
class Target:
    """Where a resource is to be loaded; without a connection, the managed warehouse."""

    dataset: str
    connection_id: int | None = None


async def preview(
    prober: Prober, principal: Principal, id: int, resource: Mapping[str, Any], *, limit: int
) -> dict[str, Any]:
    """The first rows of a resource before and after its mapping, and the definition of its table.

    That somebody looked at rows is noted in the audit log; the rows are never kept.

    Raises:
        NotFound: no such connection, or an upload of it was deleted.
        InvalidConfig: the resource is wrong, with one problem per field, or the source cannot be
            asked.
        TerminalError, TransientError, SecretUnreadable: as the source answers, or the resource
            does not fit it.
    """
    config = nodes.checked(ResourceConfig, resource, field="resource")
    async with prober.opened() as session:
        connection = await connections.get(session, id)
        endpoint = await connections.resolve_endpoint(
            session, connection, box=prober.box, allowed=prober.allowed
        )
        new = {"table": config.source or config.name}
        await audit.record(session, principal, "preview", connection, new=new)
    asked = config.model_dump(mode="json")
    found: dict[str, Any] = await probe.ask(prober, "draft", endpoint, resource=asked, limit=limit)
    return found


async def compare(
    prober: Prober, principal: Principal, table: str, columns: Mapping[str, str], target: Target
) -> dict[str, Any]:
    """Whether the table is at the destination already, and how its columns differ from these.

    Raises:
        NotFound: no such connection.
        InvalidConfig: the types of the destination cannot be compared.
        TerminalError, TransientError, SecretUnreadable: the destination cannot be asked.
    """
    endpoint = await _destination(prober, target)
    schema = physical_dataset(principal.org_slug, target.dataset)
    existing = await probe.ask(prober, "existing", endpoint, schema=schema, table=table)
    if existing is None:
        return {"exists": False, "differences": []}
    return {
        "exists": True,
        "differences": [asdict(one) for one in differences(columns, existing)],
    }


async def _destination(prober: Prober, target: Target) -> Endpoint:
    async with prober.opened() as session:
        id = target.connection_id or await workflow_state.warehouse_id(session)
        endpoint = await connections.probed_endpoint(
            session, id, box=prober.box, allowed=prober.allowed
        )
    loading = get_connector(endpoint.connector).loading
    if loading is None or LoadAbility.COMPARE not in loading.abilities:
        raise InvalidConfig(
            f"connection_id: tables of {endpoint.connector} cannot be compared",
            hint="choose a PostgreSQL connection, or the managed warehouse",
            problems=[Problem("its types are not PostgreSQL's", field="connection_id")],
        )
    return endpoint
