"""Rows of a source before anything is created from it: a preview and a profile of one table."""

from collections.abc import Mapping
from typing import Any, Literal

from etlfabric_core.access.principal import Principal
from etlfabric_core.services import audit, connections, probe
from etlfabric_core.services.probe import Prober


async def ask(
    prober: Prober,
    principal: Principal,
    id: int,
    question: Literal["preview", "profile"],
    arguments: Mapping[str, Any],
) -> Any:
    """The source's answer, never kept. That somebody looked at rows is noted in the audit log.

    Raises:
        NotFound: no such connection, or an upload of it was deleted.
        InvalidConfig, TerminalError, TransientError, SecretUnreadable: the source cannot be asked,
            or refused.
    """
    async with prober.opened() as session:
        connection = await connections.get(session, id)
        endpoint = await connections.resolve_endpoint(
            session, connection, box=prober.box, allowed=prober.allowed
        )
        await audit.record(
            session, principal, question, connection, new={"table": arguments["table"]}
        )
    return await probe.ask(prober, question, endpoint, **arguments)
