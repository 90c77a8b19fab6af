"""Organizations: how one comes to be, with everything that it needs to work, and its profile."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.permissions import Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, platform_select, platform_session
from etlfabric_core.errors import Conflict, InvalidConfig, NotFound, Problem
from etlfabric_core.models import Connection, Membership, Organization, User, Workflow
from etlfabric_core.services import accounts, audit, logins, warehouse
from etlfabric_core.services.logins import Device, SignedIn
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.slugs import ORGANIZATION_SLUG, organization_slug, warehouse_role

MANAGED_WAREHOUSE = "warehouse"
MAIN_WORKFLOW = "main"


@dataclass(frozen=True)
class Registration:
    """What somebody who signs up says."""

    email: str
    password: str
    name: str
    organization: str


async def register(
    sessions: Sessions,
    box: SecretBox,
    managed: Warehouse,
    registration: Registration,
    device: Device,
    *,
    jwt_secret: str,
) -> SignedIn:
    """Makes user, organization, ownership and warehouse role, all or nothing, and signs in.

    The warehouse's role is made before the rows are committed, and taken away again when they
    cannot be.

    Raises:
        Conflict: the e-mail address or the organization's name is taken.
        InvalidConfig: the organization's name gives no slug.
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    name = registration.organization
    async with founded(sessions, box, managed, name, field="organization") as founding:
        session, organization = founding
        user = await accounts.create_user(
            session,
            email=registration.email,
            password=registration.password,
            name=registration.name,
            organization=name,
        )
        membership = await own(session, organization, user)
        return await logins.begin(
            session, user, (membership, organization), device, jwt_secret=jwt_secret
        )


async def create(
    sessions: Sessions, box: SecretBox, managed: Warehouse, principal: Principal, *, name: str
) -> Organization:
    """Another organization, owned by a person who is signed in.

    Raises:
        Conflict: the name is taken.
        InvalidConfig: the name gives no slug.
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    async with founded(sessions, box, managed, name, field="name") as (session, organization):
        await own(session, organization, await accounts.get_user(session, principal.user_id))
    return organization


@asynccontextmanager
async def founded(
    sessions: Sessions, box: SecretBox, managed: Warehouse, name: str, *, field: str
) -> AsyncIterator[tuple[AsyncSession, Organization]]:
    """A new organization in a transaction whose other rows the caller adds, its owner at least.

    Raises:
        Conflict: the name is taken. `field` is where the request has it.
        InvalidConfig: the name gives no slug.
        UpstreamUnavailable: the warehouse cannot be reached.
    """
    async with _withdrawn_on_failure(managed) as made, platform_session(sessions) as session:
        organization, password = await _create(session, box, managed, name, field=field)
        yield session, organization
        made.append(organization.slug)
        await warehouse.provision(managed, organization.slug, password)


async def own(session: AsyncSession, organization: Organization, user: User) -> Membership:
    """Makes the user the owner of an organization that was just founded."""
    membership = Membership(org_id=organization.id, user_id=user.id, role=Role.OWNER)
    session.add(membership)
    await session.flush()
    principal = accounts.as_principal(membership, organization)
    new = {"name": organization.name, "slug": organization.slug}
    await audit.record(session, principal, "create", organization, new=new)
    return membership


async def get(session: AsyncSession, principal: Principal) -> Organization:
    """The principal's organization.

    Raises:
        NotFound: it was deleted.
    """
    organization = await session.scalar(
        platform_select(Organization).where(Organization.id == principal.org_id)
    )
    if organization is None:
        raise NotFound("the organization does not exist")
    return organization


async def change(
    session: AsyncSession, principal: Principal, given: Mapping[str, str]
) -> Organization:
    """Changes name or description. The slug stays: schemas and DAGs are named after it.

    Raises:
        NotFound: it was deleted.
    """
    organization = await get(session, principal)
    old = {key: getattr(organization, key) for key in given}
    for key, value in given.items():
        setattr(organization, key, value)
    await session.flush()
    await audit.record(session, principal, "update", organization, old=old, new=given)
    return organization


@asynccontextmanager
async def _withdrawn_on_failure(managed: Warehouse) -> AsyncIterator[list[str]]:
    """Slugs that are in the list when the transaction fails lose their warehouse role again."""
    made: list[str] = []
    try:
        yield made
    except BaseException:
        for slug in made:
            await warehouse.withdraw(managed, slug)
        raise


async def _create(
    session: AsyncSession, box: SecretBox, managed: Warehouse, name: str, *, field: str
) -> tuple[Organization, str]:
    """The organization's own rows, and the password that its warehouse role is to get.

    A deleted organization keeps its slug, which is in the names of its schemas and DAGs.
    """
    slug = _checked_slug(name, field)
    if await session.scalar(select(Organization.id).where(Organization.slug == slug)):
        raise Conflict(
            f"an organization '{slug}' already exists",
            hint="choose another name, or ask its owner to invite you",
            problems=[Problem("already taken", field=field)],
        )
    organization = Organization(name=name, slug=slug, warehouse_password=b"")
    session.add(organization)
    await session.flush()
    # The sealed password is bound to the id, which the insert has just given.
    password, org_id = warehouse.new_password(), organization.id
    organization.warehouse_password = box.seal(
        {"password": password}, org_id=org_id, field=warehouse.PASSWORD_FIELD
    )
    await enter_organization(session, org_id)
    session.add(_managed_connection(organization, managed))
    session.add(Workflow(org_id=org_id, name="Main", slug=MAIN_WORKFLOW))
    await session.flush()
    return organization, password


def _managed_connection(organization: Organization, managed: Warehouse) -> Connection:
    return Connection(
        org_id=organization.id,
        name="Managed warehouse",
        slug=MANAGED_WAREHOUSE,
        connector="postgres",
        direction="destination",
        config={
            "host": managed.host,
            "port": managed.port,
            "database": managed.database,
            "user": warehouse_role(organization.slug),
        },
        managed=True,
        status="connected",
    )


def _checked_slug(name: str, field: str) -> str:
    slug = organization_slug(name)
    if not ORGANIZATION_SLUG.fullmatch(slug) or not any(c.isascii() and c.isalnum() for c in name):
        raise InvalidConfig(
            f"{field}: needs at least one of the letters a-z or a digit",
            hint="a short name of it is made from those",
            problems=[Problem("needs a letter a-z or a digit", field=field)],
        )
    return slug
