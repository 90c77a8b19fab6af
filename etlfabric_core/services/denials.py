"""Who was turned away, in the audit log: some lines a minute for one caller, not a flood."""

from dataclasses import dataclass

from etlfabric_core.access.principal import Principal
from etlfabric_core.access.throttle import Rule, Throttle
from etlfabric_core.db.engine import Sessions
from etlfabric_core.db.scope import platform_session
from etlfabric_core.services import audit


@dataclass(frozen=True)
class Denial:
    """What was asked for, and by whom: the principal, or where none is known, an address."""

    method: str
    route: str
    code: str
    address: str
    principal: Principal | None


async def note(sessions: Sessions, throttle: Throttle, denial: Denial) -> None:
    """Notes it in a transaction of its own, because that of the request is rolled back.

    It is in the log of the caller's organization; where nobody is known, in the platform's.
    """
    who = denial.principal
    caller = ("user", who.user_id) if who else (denial.address,)
    if not await throttle.has_room(Rule.AUDITED_REFUSAL, *caller):
        return
    async with platform_session(sessions) as session:
        await audit.note(
            session,
            action="refused",
            resource_type=denial.route,
            resource_id="",
            org_id=who.org_id if who else None,
            user_id=who.user_id if who else None,
            api_key_id=who.api_key_id if who else None,
            new={"code": denial.code, "method": denial.method},
        )
