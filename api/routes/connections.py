"""Connections of the organization."""

from dataclasses import replace

from fastapi import APIRouter

from api.datamodels.connections import (
    ConnectionDraft,
    ConnectionIn,
    ConnectionOut,
    ConnectionPatch,
    ConsentIn,
    ConsentOut,
    TestedOut,
    TestOut,
    plain,
)
from api.deps import (
    ConnectionsDelete,
    ConnectionsRead,
    ConnectionsWrite,
    ProberDep,
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
from etlfabric_core.models import Connection
from etlfabric_core.services import connection_tests, connections, consents, probe
from etlfabric_core.services.connections import Draft

router = APIRouter(prefix="/connections", tags=["connections"])

READ_ERRORS = errors(Unauthenticated, Forbidden, NotFound)
WRITE_ERRORS = errors(Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig, TransientError)
CONSENT_ERRORS = errors(
    Unauthenticated, Forbidden, NotFound, Conflict, InvalidConfig, TerminalError, TransientError
)
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
    body: ConnectionDraft, principal: ConnectionsWrite, prober: ProberDep
) -> TestOut:
    """Tests a connection that is not saved. A refusal is an answer with `ok: false`."""
    draft = Draft(body.connector, body.config, plain(body.secrets))
    async with prober.opened() as session:
        endpoint = await connections.draft_endpoint(session, draft, allowed=prober.allowed)
    return TestOut.model_validate(await probe.ask(prober, "test", endpoint))


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
async def test(id: int, principal: ConnectionsWrite, prober: ProberDep) -> TestedOut:
    """Tests a saved connection and keeps how it went. A refusal is an answer with `ok: false`."""
    return TestedOut.model_validate(await connection_tests.run(prober, id))


@router.get("/{id}/tests", responses=READ_ERRORS)
async def list_tests(
    id: int, principal: ConnectionsRead, session: SessionDep, page: PageDep
) -> PageOut[TestedOut]:
    """How the last tests of a connection went, newest first."""
    found = await connection_tests.list_page(session, id, replace(page, newest_first=True))
    return PageOut[TestedOut].model_validate(found)


@router.post("/{id}/consent", responses=WRITE_ERRORS)
async def begin_consent(
    id: int, principal: ConnectionsWrite, session: SessionDep, wiring: WiringDep
) -> ConsentOut:
    """Where a person lets the connection read what is theirs, such as their spreadsheets."""
    redirect_uri = _redirect_uri(wiring)
    url = await consents.begin(session, principal, id, box=wiring.box, redirect_uri=redirect_uri)
    return ConsentOut(url=url)


@router.put("/{id}/consent", responses=CONSENT_ERRORS)
async def finish_consent(
    id: int, body: ConsentIn, principal: ConnectionsWrite, prober: ProberDep, wiring: WiringDep
) -> ConnectionOut:
    """Keeps what the person's consent is worth. `state` begins with the connection's id."""
    uri = _redirect_uri(wiring)
    connection = await consents.finish(
        prober, principal, id, code=body.code, state=body.state, redirect_uri=uri
    )
    return _shown(wiring, connection)


def _redirect_uri(wiring: Wiring) -> str:
    return f"{wiring.settings.browser_url}/connections/consent"


def _shown(wiring: Wiring, connection: Connection) -> ConnectionOut:
    derived = {
        "secrets": connections.shown_secrets(wiring.box, connection),
        "consent": consents.provider(connection),
    }
    stored = ConnectionOut.model_fields.keys() - derived.keys()
    return ConnectionOut(**{name: getattr(connection, name) for name in stored}, **derived)
