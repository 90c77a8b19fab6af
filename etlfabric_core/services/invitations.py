"""Invitations: bound to an e-mail address, an organization and a role, and good once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core import clock
from etlfabric_core.access.permissions import Role
from etlfabric_core.access.principal import Principal
from etlfabric_core.access.tokens import new_opaque, opaque_hash
from etlfabric_core.db.pages import Page, PageRequest, fetch_page
from etlfabric_core.db.scope import get_owned, org_select, platform_select
from etlfabric_core.errors import Conflict, NotFound
from etlfabric_core.mail import Mailer
from etlfabric_core.models import Invitation, Membership, User
from etlfabric_core.services import audit, members, organizations

LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class Inviter:
    """Who invited."""

    id: int
    name: str
    email: str


@dataclass(frozen=True)
class Sent:
    """An invitation with the person who made it; None when that person has left.

    `link` is there once, and only where no mail server is set.
    """

    id: int
    email: str
    role: Role
    invited_by: Inviter | None
    created_at: datetime
    expires_at: datetime
    mailed: bool
    link: str | None = None


@dataclass(frozen=True)
class Letter:
    """What the invited person is to get. The token is stored nowhere."""

    sent: Sent
    organization: str
    token: str


async def list_page(session: AsyncSession, page: PageRequest) -> Page[Sent]:
    """Those that were neither accepted nor revoked, oldest first; expired ones too."""
    rows = await fetch_page(session, _open(), Invitation.id, page)
    inviters = await _inviters(session, rows.items)
    return Page([_sent(row, inviters) for row in rows.items], rows.next_cursor)


async def create(
    session: AsyncSession, principal: Principal, *, email: str, role: Role, mailed: bool
) -> Letter:
    """A new invitation, in the place of an open one to the same address.

    It does not tell whether somebody with that address has an account.

    Raises:
        Forbidden: the role may do what the principal may not.
        Conflict: the address belongs to a member.
    """
    members.require_grantable(principal, role)
    await members.lock(session, principal)
    email = email.lower()
    if await _is_member(session, email):
        raise Conflict(f"{email} is already a member", hint="change the role instead")
    for older in await session.scalars(_open().where(Invitation.email == email)):
        await _revoke(session, principal, older)
    row = Invitation(org_id=principal.org_id, email=email, role=role)
    session.add(row)
    return await _seal(session, principal, row, "create", mailed=mailed)


async def resend(session: AsyncSession, principal: Principal, id: int, *, mailed: bool) -> Letter:
    """Gives an invitation a new token, good for another 7 days; the old one ends.

    Raises:
        NotFound: no such open invitation.
        Forbidden: the role may do what the principal may not.
    """
    await members.lock(session, principal)
    row = await _get(session, id)
    members.require_grantable(principal, Role(row.role))
    return await _seal(session, principal, row, "resend", mailed=mailed)


async def revoke(session: AsyncSession, principal: Principal, id: int) -> None:
    """Ends an invitation.

    Raises:
        NotFound: no such open invitation.
    """
    await members.lock(session, principal)
    await _revoke(session, principal, await _get(session, id))


async def deliver(letter: Letter, mailer: Mailer, public_url: str) -> Sent:
    """Sends the link, or puts it into the answer where no mail server is set.

    Raises:
        UpstreamUnavailable: the mail could not be sent; the invitation stays, to be sent again.
    """
    # After the #: browsers send that part to no server, so it reaches no log.
    link = f"{public_url}/invitation#token={letter.token}"
    if not letter.sent.mailed:
        return replace(letter.sent, link=link)
    inviter = letter.sent.invited_by.name if letter.sent.invited_by else "Somebody"
    body = (
        f"Hello,\n\n{inviter} invites you to the organization {letter.organization} at ETL Fabric, "
        f"as {letter.sent.role}. Accept within seven days:\n\n{link}\n\n"
        "If you do not know what this is about, do nothing.\n"
    )
    await mailer.send(
        to=letter.sent.email, subject=f"Invitation to {letter.organization}", body=body
    )
    return letter.sent


async def _seal(
    session: AsyncSession, principal: Principal, row: Invitation, action: str, *, mailed: bool
) -> Letter:
    token = new_opaque()
    row.token_hash, row.invited_by, row.mailed = opaque_hash(token), principal.user_id, mailed
    row.expires_at = clock.now() + LIFETIME
    await session.flush()
    await audit.record(session, principal, action, row, new=_audited(row))
    organization = await organizations.get(session, principal)
    sent = _sent(row, await _inviters(session, [row]))
    return Letter(sent, organization.name, token)


async def _revoke(session: AsyncSession, principal: Principal, row: Invitation) -> None:
    row.revoked_at = clock.now()
    await session.flush()
    await audit.record(session, principal, "delete", row, old=_audited(row))


async def _get(session: AsyncSession, id: int) -> Invitation:
    row = await get_owned(session, Invitation, id)
    if row.accepted_at is not None or row.revoked_at is not None:
        raise NotFound(f"invitation {id} does not exist", hint="it may have been deleted")
    return row


def _open() -> Select[Invitation]:
    return org_select(Invitation).where(
        Invitation.accepted_at.is_(None), Invitation.revoked_at.is_(None)
    )


async def _is_member(session: AsyncSession, email: str) -> bool:
    membership = org_select(Membership).join(User, User.id == Membership.user_id)
    return await session.scalar(membership.where(User.email == email)) is not None


async def _inviters(session: AsyncSession, rows: Sequence[Invitation]) -> dict[int, Inviter]:
    ids = {row.invited_by for row in rows}
    users = await session.scalars(platform_select(User).where(User.id.in_(ids)))
    return {user.id: Inviter(user.id, user.name, user.email) for user in users}


def _sent(row: Invitation, inviters: Mapping[int, Inviter]) -> Sent:
    return Sent(
        id=row.id,
        email=row.email,
        role=Role(row.role),
        invited_by=inviters.get(row.invited_by),
        created_at=row.created_at,
        expires_at=row.expires_at,
        mailed=row.mailed,
    )


def _audited(row: Invitation) -> dict[str, object]:
    return {"email": row.email, "role": row.role, "expires_at": row.expires_at.isoformat()}
