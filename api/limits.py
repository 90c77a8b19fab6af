"""Guards that count requests: by address on public routes, by caller on all others."""

from typing import Any

from fastapi import Depends, Request

from api.deps import WiringDep, get_address
from etlfabric_core.access.throttle import Rule, network
from etlfabric_core.errors import TooManyRequests


class PerAddress:
    """A guard of public routes; the routes of one rule share one count."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    async def __call__(self, request: Request, wiring: WiringDep) -> None:
        """Counts the request.

        Raises:
            TooManyRequests: 429, too many from this address.
        """
        try:
            await wiring.throttle.admit(self.rule, network(get_address(request)))
        except TooManyRequests as error:
            error.audited = True
            raise


def per_address(rule: Rule) -> Any:
    """For `dependencies=[…]` of a route."""
    return Depends(PerAddress(rule))
