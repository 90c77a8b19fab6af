"""Organizations: how one comes to be, with everything that it needs to work, and its profile."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.permissions import Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import enter_organization, platform_select, platform_session
from etlfabric_core.errors import Conflict, InvalidConfig, NotFound, Problem
from etlfabric_core.models import Connection, Membership, Organization, Workflow
from etlfabric_core.services import accounts, audit, warehouse
from etlfabric_core.services.accounts import SignedIn
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
    provisioned: str | None = None
    try:
        async with platform_session(sessions) as session:
            organization, password = await _create(session, box, managed, registration.organization)
            user = await accounts.create_user(
                session,
                email=registration.email,
                password=registration.password,
                name=registration.name,
            )
            membership = Membership(org_id=organization.id, user_id=user.id, role=Role.OWNER)
            session.add(membership)
            await session.flush()
            principal = accounts.as_principal(membership, organization)
            await audit.record(
                session, principal, "create", organization, new={"slug": organization.slug}
            )
            signed_in = await accounts.issue(
                session, user, membership, organization, jwt_secret=jwt_secret
            )
            provisioned = organization.slug
            await warehouse.provision(managed, organization.slug, password)
    except BaseException:
        if provisioned:
            await warehouse.withdraw(managed, provisioned)
        raise
    return signed_in


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


async def rename(session: AsyncSession, principal: Principal, *, name: str) -> Organization:
    """Changes the name that people see. The slug stays: schemas and DAGs are named after it.

    Raises:
        NotFound: it was deleted.
    """
    organization = await get(session, principal)
    old, organization.name = organization.name, name
    await session.flush()
    await audit.record(
        session, principal, "update", organization, old={"name": old}, new={"name": name}
    )
    return organization


async def _create(
    session: AsyncSession, box: SecretBox, managed: Warehouse, name: str
) -> tuple[Organization, str]:
    """The organization's own rows, and the password that its warehouse role is to get."""
    slug = _checked_slug(name)
    if await session.scalar(select(Organization.id).where(Organization.slug == slug)):
        raise Conflict(
            f"an organization '{slug}' already exists",
            hint="choose another name, or ask its owner to add you",
            problems=[Problem("already taken", field="organization")],
        )
    organization = Organization(name=name, slug=slug, warehouse_password=b"")
    session.add(organization)
    await session.flush()
    # The sealed password is bound to the id, which the insert has just given.
    password, org_id = warehouse.new_password(), organization.id
    organization.warehouse_password = box.seal({"password": password}, context=org_id)
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


def _checked_slug(name: str) -> str:
    slug = organization_slug(name)
    if not ORGANIZATION_SLUG.fullmatch(slug) or not any(c.isascii() and c.isalnum() for c in name):
        raise InvalidConfig(
            "organization: needs at least one of the letters a-z or a digit",
            hint="a short name of it is made from those",
            problems=[Problem("needs a letter a-z or a digit", field="organization")],
        )
    return slug
