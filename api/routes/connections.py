"""Connections of the organization."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi import APIRouter

from api.datamodels.connections import (
    ConnectionDraft,
    ConnectionIn,
    ConnectionOut,
    ConnectionPatch,
    ResourcesOut,
    TestOut,
    plain,
    resource,
)
from api.deps import (
    ConnectionsDelete,
    ConnectionsRead,
    ConnectionsWrite,
    OpenSessionDep,
    SessionDep,
    Wiring,
    WiringDep,
)
from api.errors import errors
from api.pagination import PageDep, PageOut
from etlfabric_core.errors import (
    Conflict,
    Forbidden,
    InvalidConfig,
    NotFound,
    TerminalError,
    TransientError,
    Unauthenticated,
)
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.models import Connection
from etlfabric_core.services import connections, probe, uploads
from etlfabric_core.services.connections import Draft

router = APIRouter(prefix="/connections", tags=["connections"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound)
WRITE_ERRORS = errors(Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig, TransientError)
PROBE_ERRORS = errors(Unauthenticated, Forbidden, NotFound, TerminalError, TransientError)


@router.get("", responses=READ_ERRORS)
async def list_connections(
    principal: ConnectionsRead, session: SessionDep, wiring: WiringDep, page: PageDep
) -> PageOut[ConnectionOut]:
    """All connections, the managed warehouse among them."""
    found = await connections.list_page(session, page)
    return PageOut(
        items=[_shown(wiring, connection) for connection in found.items],
        next_cursor=found.next_cursor,
    )


@router.post("", status_code=201, responses=WRITE_ERRORS)
async def create(
    body: ConnectionIn, principal: ConnectionsWrite, session: SessionDep, wiring: WiringDep
) -> ConnectionOut:
    """Saves a connection."""
    connection = await connections.create(
        session,
        principal,
        Draft(
            connector=body.connector,
            config=body.config,
            secrets=plain(body.secrets),
            name=body.name,
            slug=body.slug,
            direction=body.direction,
        ),
        box=wiring.box,
        allowed=wiring.allowed,
    )
    return _shown(wiring, connection)


@router.post("/test", responses=PROBE_ERRORS)
async def test_draft(
    body: ConnectionDraft, principal: ConnectionsWrite, opened: OpenSessionDep, wiring: WiringDep
) -> TestOut:
    """Tests a connection that is not saved. A refusal is an answer with `ok: false`."""
    draft = Draft(body.connector, body.config, plain(body.secrets))
    async with opened() as session:
        endpoint = await connections.draft_endpoint(session, draft, allowed=wiring.allowed)
    return TestOut.model_validate(await _ask("test", endpoint, wiring, principal.org_id))


@router.get("/{id}", responses=READ_ERRORS)
async def get(
    id: int, principal: ConnectionsRead, session: SessionDep, wiring: WiringDep
) -> ConnectionOut:
    """One connection."""
    return _shown(wiring, await connections.get(session, id))


@router.patch("/{id}", responses=WRITE_ERRORS)
async def change(
    id: int,
    body: ConnectionPatch,
    principal: ConnectionsWrite,
    session: SessionDep,
    wiring: WiringDep,
) -> ConnectionOut:
    """Changes what is given."""
    connection = await connections.change(
        session,
        principal,
        id,
        connections.Change(body.name, body.config, plain(body.secrets)),
        box=wiring.box,
        allowed=wiring.allowed,
    )
    return _shown(wiring, connection)


@router.delete("/{id}", status_code=204, responses=WRITE_ERRORS)
async def delete(id: int, principal: ConnectionsDelete, session: SessionDep) -> None:
    """Deletes a connection that nothing uses."""
    await connections.delete(session, principal, id)


@router.post("/{id}/test", responses=PROBE_ERRORS)
async def test(
    id: int, principal: ConnectionsWrite, opened: OpenSessionDep, wiring: WiringDep
) -> TestOut:
    """Tests a saved connection and notes how it went."""
    async with opened() as session:
        endpoint = await connections.probed_endpoint(
            session, id, box=wiring.box, allowed=wiring.allowed
        )
    result = TestOut.model_validate(await _ask("test", endpoint, wiring, principal.org_id))
    async with opened() as session:
        await connections.note_test(session, id, ok=result.ok, message=result.message)
    return result


@router.get("/{id}/resources", responses=PROBE_ERRORS)
async def list_resources(
    id: int, principal: ConnectionsRead, opened: OpenSessionDep, wiring: WiringDep
) -> ResourcesOut:
    """The tables or files that the connection offers, with columns and proposed keys."""
    async with opened() as session:
        endpoint = await connections.probed_endpoint(
            session, id, box=wiring.box, allowed=wiring.allowed
        )
    found = await _ask("discover", endpoint, wiring, principal.org_id)
    return ResourcesOut(items=[resource(item) for item in found])


async def _ask(question: probe.Question, endpoint: Endpoint, wiring: Wiring, org_id: int) -> Any:
    with TemporaryDirectory(prefix="etlfabric-probe-") as folder:
        files = await uploads.materialize(wiring.storage, org_id, endpoint.files, Path(folder))
        return await probe.ask(question, endpoint, files)


def _shown(wiring: Wiring, connection: Connection) -> ConnectionOut:
    secrets = connections.shown_secrets(wiring.box, connection)
    return ConnectionOut(
        **{
            name: getattr(connection, name)
            for name in ConnectionOut.model_fields
            if name != "secrets"
        },
        secrets=secrets,
    )
