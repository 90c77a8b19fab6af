"""Checks the chains of the audit log and prints what it found."""

import typer
from sqlalchemy import select

from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import org_session, platform_session
from etlfabric_core.errors import NotFound
from etlfabric_core.models import Organization
from etlfabric_core.services import audit_check
from etlfabric_core.services.audit_check import Head

PLATFORM = "(platform)"
# Of every chain: its name, and the organization's id or None.
Chains = dict[str, int | None]


async def verify(sessions: Sessions, slug: str | None, expect: Head | None) -> bool:
    """Whether the log of the organization, or every log and the platform's, is whole.

    Raises:
        NotFound: there is no such organization.
    """
    chains = await _chains(sessions, slug)
    return all([await _verify(sessions, name, id, expect) for name, id in chains.items()])


async def _verify(sessions: Sessions, name: str, org_id: int | None, expect: Head | None) -> bool:
    opened = platform_session(sessions) if org_id is None else org_session(sessions, org_id)
    async with opened as session:
        report = await audit_check.verify(session, org_id, expect)
    before = f", {report.unchained} from before the chain" if report.unchained else ""
    found = report.problem or "whole"
    typer.echo(f"{name}: {found}. {report.entries} entries{before}, head {report.head or '-'}")
    return report.intact


async def _chains(sessions: Sessions, slug: str | None) -> Chains:
    async with platform_session(sessions) as session:
        rows = await session.execute(select(Organization.slug, Organization.id))
        chains: Chains = {PLATFORM: None} | {row.slug: row.id for row in rows}
    if slug is None:
        return chains
    if slug not in chains:
        raise NotFound(f"there is no organization '{slug}'", hint="give its slug")
    return {slug: chains[slug]}
