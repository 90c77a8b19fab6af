"""How much is accepted in how much time, before an answer is 429.

Every count has its own key: what one organization, person or address does never fills the count
of another. Nobody is locked out by a stranger: what counts for everybody who tries one account
does not count for an address from which its owner has signed in before.
"""

import hashlib
import json
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

import structlog
from limits import RateLimitItem, parse_many
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from etlfabric_core.errors import TooManyRequests

log = structlog.get_logger()


class Rule(StrEnum):
    """What is counted. The name of an address or account is the key of a count."""

    REQUEST = "request"  # a person or API key, all routes
    ORGANIZATION_REQUEST = "organization_request"
    SIGN_IN_DEVICE = "sign_in_device"  # one account from one address
    SIGN_IN_ACCOUNT = "sign_in_account"  # one account from everywhere that is new to it
    SIGN_IN_ADDRESS = "sign_in_address"  # every account from one address that is new to it
    REGISTER = "register"
    REFRESH = "refresh"
    FORGOT = "forgot"
    FORGOT_ACCOUNT = "forgot_account"
    RESET = "reset"
    VERIFY = "verify"
    VERIFY_ACCOUNT = "verify_account"
    INVITATION = "invitation"
    INVITING = "inviting"  # an organization's mails to strangers
    SSO = "sso"  # setting out to a provider
    SSO_RETURN = "sso_return"  # coming back: many people of one office may at once
    PASSWORD_CHANGE = "password_change"  # noqa: S105
    REFUSED_TOKEN = "refused_token"  # noqa: S105
    AUDITED_REFUSAL = "audited_refusal"
    AUDIT_CHECK = "audit_check"  # an organization's whole audit log, hashed anew


# The longer somebody goes on, the longer the wait.
LIMITS: Mapping[Rule, str] = {
    Rule.REQUEST: "1200/minute",
    Rule.ORGANIZATION_REQUEST: "6000/minute",
    Rule.SIGN_IN_DEVICE: "5/minute; 20/hour; 60/day",
    Rule.SIGN_IN_ACCOUNT: "10/minute; 30/hour; 100/day",
    Rule.SIGN_IN_ADDRESS: "30/minute; 100/15minute; 500/day",
    Rule.REGISTER: "20/hour; 100/day",
    Rule.REFRESH: "300/minute",
    Rule.FORGOT: "20/hour; 60/day",
    Rule.FORGOT_ACCOUNT: "3/15minute; 10/day",
    Rule.RESET: "30/hour",
    Rule.VERIFY: "60/hour",
    Rule.VERIFY_ACCOUNT: "3/15minute; 10/day",
    Rule.INVITATION: "60/15minute",
    Rule.INVITING: "60/hour; 300/day",
    Rule.SSO: "60/15minute",
    Rule.SSO_RETURN: "600/15minute",
    Rule.PASSWORD_CHANGE: "10/15minute; 50/day",
    Rule.REFUSED_TOKEN: "300/minute",
    Rule.AUDITED_REFUSAL: "10/minute",
    Rule.AUDIT_CHECK: "6/minute",
}


class Throttle:
    """Counts in a shared store; while that is away, each process of the service by itself."""

    def __init__(self, storage_url: str = "memory://", limits: Mapping[str, str] = {}) -> None:
        """`limits` by the name of a rule, in place of the built-in ones.

        Raises:
            ValueError: an unknown rule or store, or a limit that cannot be read.
        """
        self._limits = {rule: _parsed(rule, limit) for rule, limit in _merged(limits).items()}
        self._shared = SlidingWindowCounterRateLimiter(_storage(storage_url))
        self._alone = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def admit(self, rule: Rule, *key: object) -> None:
        """Counts one more.

        Raises:
            TooManyRequests: it is one too many; it says when there is room again.
        """
        for limit in self._limits[rule]:
            if not await self._hit(limit, _named(rule, key)):
                wait = await self._wait(limit, _named(rule, key))
                log.warning("throttled", rule=rule, retry_after=wait)
                raise TooManyRequests("too many requests in a short time", retry_after=wait)

    async def has_room(self, rule: Rule, *key: object) -> bool:
        """Counts one more; whether it is still within the limit."""
        try:
            await self.admit(rule, *key)
        except TooManyRequests:
            return False
        return True

    async def forgive(self, rule: Rule, *key: object) -> None:
        """Begins to count anew."""
        for limit in self._limits[rule]:
            await self._alone.clear(limit, _named(rule, key))
            with suppress(StorageError):  # then it is the other count that is in force
                await self._shared.clear(limit, _named(rule, key))

    async def _hit(self, limit: RateLimitItem, name: str) -> bool:
        try:
            return await self._shared.hit(limit, name)
        except StorageError as error:
            log.warning("throttle_store_away", error=str(error))
            return await self._alone.hit(limit, name)

    async def _wait(self, limit: RateLimitItem, name: str) -> int:
        try:
            stats = await self._shared.get_window_stats(limit, name)
        except StorageError:
            stats = await self._alone.get_window_stats(limit, name)
        return max(1, math.ceil(stats.reset_time - time.time()))


def network(address: str | None) -> str:
    """What an address counts as. A subscriber has a whole /64 of IPv6 to choose from."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or "local"
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)


def _merged(changes: Mapping[str, str]) -> dict[Rule, str]:
    return {**LIMITS, **{Rule(name): limit for name, limit in changes.items()}}


def _parsed(rule: Rule, limit: str) -> list[RateLimitItem]:
    try:
        return parse_many(limit)
    except ValueError as error:
        raise ValueError(f"rate_limits: {rule}: write 20/hour or 5/minute; 20/hour") from error


def _storage(url: str) -> Storage:
    scheme = url if url.startswith("async+") else f"async+{url}"
    try:
        return storage_from_string(scheme, wrap_exceptions=True)  # type: ignore[return-value]
    except ConfigurationError as error:
        raise ValueError(f"rate_limit_storage_url: {error}") from error


def _named(rule: Rule, key: tuple[object, ...]) -> str:
    """One name for a key of any length; the store learns no address."""
    parts = json.dumps([str(part) for part in key])
    return f"{rule}:{hashlib.sha256(parts.encode()).hexdigest()[:32]}"
