"""Counting: exact limits, keys of their own, growing waits, and a store that is away."""

import asyncio

import pytest
from limits.aio.storage import MemoryStorage

from etlfabric_core.access.throttle import LIMITS, Rule, Throttle, network
from etlfabric_core.errors import TooManyRequests


class AwayStorage(MemoryStorage):
    """A shared store that cannot be reached."""

    STORAGE_SCHEME = ["async+away"]  # noqa: RUF012 - the library's form

    async def get(self, key: str) -> int:
        raise ConnectionError("nobody answers")

    @property
    def base_exceptions(self) -> type[Exception]:
        return ConnectionError


def test_every_rule_has_a_limit_that_can_be_read() -> None:
    assert set(LIMITS) == set(Rule)
    Throttle()


async def test_exactly_so_many_are_admitted_at_once() -> None:
    throttle = Throttle(limits={"register": "7/month"})
    answers = await asyncio.gather(*(throttle.has_room(Rule.REGISTER, "a") for _ in range(200)))
    assert sum(answers) == 7
    with pytest.raises(TooManyRequests) as refused:
        await throttle.admit(Rule.REGISTER, "a")
    assert 1 <= refused.value.retry_after <= 31 * 86_400
    assert str(refused.value.retry_after) in (refused.value.hint or "")


async def test_there_is_room_again_later() -> None:
    throttle = Throttle(limits={"register": "2/second"})
    assert [await throttle.has_room(Rule.REGISTER, "a") for _ in range(3)] == [True, True, False]
    async with asyncio.timeout(10):
        while not await throttle.has_room(Rule.REGISTER, "a"):
            await asyncio.sleep(0.1)


async def test_the_wait_grows() -> None:
    throttle = Throttle(limits={"sign_in_device": "2/second; 3/day"})
    waits = []
    async with asyncio.timeout(20):
        while len(waits) < 2 or waits[-1] <= 1:
            try:
                await throttle.admit(Rule.SIGN_IN_DEVICE, "a", "b")
            except TooManyRequests as refused:
                waits.append(refused.retry_after)
                await asyncio.sleep(0.1)
    assert waits[0] == 1
    assert waits[-1] > 60


async def test_keys_do_not_meet() -> None:
    throttle = Throttle(limits={"register": "1/month", "forgot": "1/month"})
    keys = [("a",), ("b",), ("a", "b"), ("a/b",), ('a", "b',), ("ab",), (1,), ("a", "b", "")]
    for key in keys:
        assert await throttle.has_room(Rule.REGISTER, *key), key
    assert not await throttle.has_room(Rule.REGISTER, "a", "b")
    assert await throttle.has_room(Rule.FORGOT, "a", "b")
    await throttle.forgive(Rule.REGISTER, "a", "b")
    assert await throttle.has_room(Rule.REGISTER, "a", "b")
    assert not await throttle.has_room(Rule.REGISTER, "b")


async def test_without_its_shared_store_each_process_counts_alone() -> None:
    throttle = Throttle("away://", {"register": "3/month"})
    assert [await throttle.has_room(Rule.REGISTER, "a") for _ in range(4)] == [True] * 3 + [False]
    await throttle.forgive(Rule.REGISTER, "a")
    assert await throttle.has_room(Rule.REGISTER, "a")


@pytest.mark.parametrize(
    ("storage", "limits", "complaint"),
    [
        ("memory://", {"register": "often"}, "rate_limits"),
        ("memory://", {"no_such_rule": "1/month"}, "no_such_rule"),
        ("carrier-pigeon://", {}, "rate_limit_storage_url"),
    ],
)
def test_a_setting_that_cannot_be_read_is_refused_at_the_start(
    storage: str, limits: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Throttle(storage, limits)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("testclient", "testclient"),
        (None, "local"),
    ],
)
def test_what_an_address_counts_as(address: str | None, counted: str) -> None:
    assert network(address) == counted
