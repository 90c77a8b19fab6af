"""Connections: plain config, sealed secrets, and the endpoint that a run or a test gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete as delete_rows
from sqlalchemy import or_
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.network import AllowList
from etlfabric_core.access.principal import Principal
from etlfabric_core.connectors import get_connector
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select, platform_select
from etlfabric_core.errors import Conflict, InvalidConfig, NotFound, Problem
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.models import Connection, Listing, Node, Organization
from etlfabric_core.services import audit, databases, warehouse
from etlfabric_core.services import connection_fields as fields
from etlfabric_core.slugs import SLUG, slugify

SECRETS_FIELD = "connection.secrets"  # what sealed secrets are bound to


@dataclass(frozen=True)
class Draft:
    """What a user says about a connection. `secrets` None in a change: all stay as they are."""

    connector: str
    config: Mapping[str, Any]
    secrets: Mapping[str, str] | None = field(default=None, repr=False)
    name: str = ""
    slug: str | None = None
    direction: str | None = None


@dataclass(frozen=True)
class Change:
    """What a user changes about a connection; None stays as it is."""

    name: str | None = None
    config: Mapping[str, Any] | None = None
    secrets: Mapping[str, str] | None = field(default=None, repr=False)


async def list_page(session: AsyncSession, page: PageRequest) -> Page[Connection]:
    """The connections, oldest first."""
    return await fetch_page(session, org_select(Connection), Connection.id, page)


async def get(session: AsyncSession, id: int) -> Connection:
    """The connection of that id.

    Raises:
        NotFound: there is none in this organization.
    """
    return await get_owned(session, Connection, id)


async def create(
    session: AsyncSession, principal: Principal, draft: Draft, *, box: SecretBox, allowed: AllowList
) -> Connection:
    """A new connection, not tested yet.

    Raises:
        InvalidConfig: config, secrets, direction, slug or host are wrong.
        Conflict: the slug is taken.
        NotFound: an upload that the config names does not exist.
    """
    connector = get_connector(draft.connector)
    config = await fields.checked_config(session, connector, draft.config)
    await fields.named_addresses(connector, config, allowed)
    secrets = fields.checked_secrets(connector, draft.secrets or {})
    connection = Connection(
        org_id=principal.org_id,
        name=draft.name,
        slug=await _free_slug(session, draft),
        connector=connector.name,
        direction=fields.checked_direction(connector, draft.direction),
        config=config,
        secrets=_sealed(box, principal.org_id, secrets),
    )
    session.add(connection)
    await session.flush()
    await audit.record(
        session,
        principal,
        "create",
        connection,
        new=_audited(connection) | {"secrets": sorted(secrets)},
    )
    return connection


async def change(
    session: AsyncSession,
    principal: Principal,
    id: int,
    given: Change,
    *,
    box: SecretBox,
    allowed: AllowList,
) -> Connection:
    """Changes what is given. A secret given as "***", or no secrets at all, stay as stored.

    Raises:
        NotFound: no such connection, or no such upload.
        Conflict: it is the managed warehouse.
        InvalidConfig: config or secrets are wrong, or a stored secret would go to another host.
    """
    connection = await get_owned(session, Connection, id)
    _refuse_managed(connection)
    connector = get_connector(connection.connector)
    config = None
    if given.config is not None:
        config = await fields.checked_config(session, connector, given.config)
        await fields.named_addresses(connector, config, allowed)
    await _lock(session, connection)  # not while a name is looked up, which can take long
    config = connection.config if config is None else config
    old = _audited(connection)
    stored = _opened(box, connection)
    fields.keep_secrets_home(connector, (connection.config, config), stored, given.secrets)
    secrets = fields.checked_secrets(connector, fields.merged_secrets(stored, given.secrets))
    if (config, secrets) != (connection.config, stored):
        connection.status, connection.status_message = "untested", None
        await _drop_listings(session, connection)
    connection.name = given.name or connection.name
    connection.config = config
    if secrets != stored:
        connection.secrets = _sealed(box, connection.org_id, secrets)
    await session.flush()
    replaced = sorted(name for name, value in (given.secrets or {}).items() if value != fields.KEPT)
    new = _audited(connection) | ({"secrets": replaced} if replaced else {})
    await audit.record(session, principal, "update", connection, old=old, new=new)
    return connection


async def delete(session: AsyncSession, principal: Principal, id: int) -> None:
    """Deletes a connection that nothing uses.

    Raises:
        NotFound: no such connection.
        Conflict: it is the managed warehouse, or a pipeline uses it.
    """
    connection = await get_owned(session, Connection, id)
    _refuse_managed(connection)
    users = await session.scalars(
        org_select(Node).where(
            or_(Node.source_connection_id == id, Node.destination_connection_id == id)
        )
    )
    if names := sorted(node.slug for node in users):
        raise Conflict(
            f"connection '{connection.slug}' is used by: {', '.join(names)}",
            hint="delete those pipelines first, or give them another connection",
            problems=[Problem("uses the connection", node=name) for name in names],
        )
    connection.deleted_at = clock.now()
    await _drop_listings(session, connection)
    await session.flush()
    await audit.record(session, principal, "delete", connection, old=_audited(connection))


async def resolve_endpoint(
    session: AsyncSession, connection: Connection, *, box: SecretBox, allowed: AllowList
) -> Endpoint:
    """The endpoint with its secrets open, its files named and its host looked up and checked.

    For runs, tests and discovery only: they connect to these addresses, whatever the name stands
    for by then.

    Raises:
        NotFound: an upload was deleted.
        InvalidConfig: the host lies inside the installation by now.
        TransientError: the host's name cannot be resolved.
        SecretUnreadable: the key of a secret is gone.
    """
    secrets = _opened(box, connection)
    if connection.managed:  # its host is the operator's word
        secrets = await _warehouse_secrets(session, connection, box)
        allowed = AllowList(frozenset({connection.config["host"].lower()}), ())
    return Endpoint(
        connector=connection.connector,
        config=connection.config,
        secrets=secrets,
        files=await fields.file_refs(session, connection.config),
        database_file=databases.file_name(connection),
        **await fields.addresses(get_connector(connection.connector), connection.config, allowed),
    )


async def probed_endpoint(
    session: AsyncSession, id: int, *, box: SecretBox, allowed: AllowList
) -> Endpoint:
    """The endpoint of a saved connection for a test or discovery.

    Raises:
        NotFound: no such connection, or an upload of it was deleted.
        InvalidConfig, TransientError, SecretUnreadable: as `resolve_endpoint`.
    """
    connection = await get_owned(session, Connection, id)
    return await resolve_endpoint(session, connection, box=box, allowed=allowed)


async def draft_endpoint(session: AsyncSession, draft: Draft, *, allowed: AllowList) -> Endpoint:
    """The endpoint of a connection that is not saved, checked like one that is.

    Raises:
        InvalidConfig: config, secrets or host are wrong.
        NotFound: an upload does not exist.
    """
    connector = get_connector(draft.connector)
    config = await fields.checked_config(session, connector, draft.config)
    return Endpoint(
        connector=connector.name,
        config=config,
        secrets=fields.checked_secrets(connector, draft.secrets or {}),
        files=await fields.file_refs(session, config),
        **await fields.named_addresses(connector, config, allowed),
    )


def shown_secrets(box: SecretBox, connection: Connection) -> dict[str, str]:
    """What an answer says about secrets: which are set."""
    return dict.fromkeys(_opened(box, connection), fields.KEPT)


async def _lock(session: AsyncSession, connection: Connection) -> None:
    """Holds the row as it is now: host and secrets of two changes at once must not mix."""
    await session.refresh(connection, with_for_update={"key_share": True})
    if connection.deleted_at is not None:
        raise NotFound(f"connection {connection.id} does not exist", hint="it was deleted just now")


async def _drop_listings(session: AsyncSession, connection: Connection) -> None:
    await session.execute(delete_rows(Listing).where(Listing.connection_id == connection.id))


def _sealed(box: SecretBox, org_id: int, secrets: Mapping[str, str]) -> bytes | None:
    return box.seal(secrets, org_id=org_id, field=SECRETS_FIELD) if secrets else None


def _opened(box: SecretBox, connection: Connection) -> dict[str, str]:
    if connection.secrets is None:
        return {}
    return box.open(connection.secrets, org_id=connection.org_id, field=SECRETS_FIELD)


async def _warehouse_secrets(
    session: AsyncSession, connection: Connection, box: SecretBox
) -> dict[str, str]:
    organization = await session.scalar(
        platform_select(Organization).where(Organization.id == connection.org_id)
    )
    if organization is None:
        raise NotFound("the organization does not exist")
    return {"password": warehouse.password_of(box, organization)}


async def _free_slug(session: AsyncSession, draft: Draft) -> str:
    slug = draft.slug or slugify(draft.name)
    if not SLUG.fullmatch(slug):
        raise InvalidConfig(
            f"slug: '{slug}' is not allowed",
            hint="small letters a-z, digits and single underscores; at most 40; a letter first",
            problems=[Problem("not allowed", field="slug")],
        )
    if await session.scalar(org_select(Connection).where(Connection.slug == slug)):
        raise Conflict(
            f"a connection '{slug}' already exists",
            hint="choose another name",
            problems=[Problem("already taken", field="name")],
        )
    return slug


def _refuse_managed(connection: Connection) -> None:
    if connection.managed:
        raise Conflict(
            "the managed warehouse cannot be changed or deleted",
            hint="add a connection of your own",
        )


def _audited(connection: Connection) -> dict[str, Any]:
    return {
        "name": connection.name,
        "connector": connection.connector,
        "direction": connection.direction,
        "config": connection.config,
    }
