"""Cron schedules."""

from datetime import UTC, datetime

import pytest

from etlfabric_core.specs.cron import cron_problem, describe, next_times, timezone_problem


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "Every minute"),
        ("0 6 * * 1-5", "At 06:00, Monday through Friday"),
        ("*/15 8-18 * * mon,fri", "Every 15 minutes"),
        ("0 0 L * *", "At 00:00, on the last day of the month"),
        ("0 0 29 2 *", "At 00:00, on day 29 of the month, only in February"),
    ],
)
@pytest.mark.feature("H1", "H2")
def test_a_right_schedule_is_said_in_words(cron: str, words: str) -> None:
    assert cron_problem(cron) is None
    assert describe(cron).startswith(words)


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("", "0 fields"),
        ("@daily", "1 fields"),
        ("0 6 * *", "4 fields"),
        ("0 0 6 * * *", "6 fields"),
        ("60 * * * *", "no cron expression"),
        ("* * * * 9", "no cron expression"),
        ("R * * * *", "no cron expression"),
        ("H H * * *", "no cron expression"),
        ("a b c d e", "no cron expression"),
        ("0 0 31 2 *", "never comes"),
        ("0 0 30 2 *", "never comes"),
    ],
)
@pytest.mark.feature("H1")
def test_a_wrong_schedule_is_refused(cron: str, says: str) -> None:
    problem = cron_problem(cron)
    assert problem is not None
    assert says in problem.message
    assert problem.field == "cron"


def test_time_zones_are_the_known_ones() -> None:
    assert timezone_problem("America/New_York") is None
    for name in ("", "EST5EDT6", "/etc/passwd", "Mars/Base"):
        assert timezone_problem(name) is not None


@pytest.mark.parametrize("zone", ["Europe/London", "Africa/Casablanca", "Atlantic/Azores", "UTC"])
def test_zones_whose_offset_is_zero_at_times(zone: str) -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    found = next_times("30 1 * * *", zone, start, 366)
    assert len({moment.date() for moment in found}) == 366


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # In the spring night 02:30 does not exist, in the autumn night 01:30 comes twice.
        ("30 2 * * *", "2024-03-10T00:00", ["2024-03-10T07:30", "2024-03-11T06:30"]),
        ("30 1 * * *", "2024-11-03T00:00", ["2024-11-03T06:30", "2024-11-04T06:30"]),
        ("30 * * * *", "2024-03-10T06:00", ["2024-03-10T06:30", "2024-03-10T07:30"]),
        ("30 * * * *", "2024-11-03T05:00", ["2024-11-03T05:30", "2024-11-03T06:30"]),
    ],
)
@pytest.mark.feature("H1", "H2")
def test_clock_changes(cron: str, after: str, expected: list[str]) -> None:
    start = datetime.fromisoformat(after).replace(tzinfo=UTC)
    found = next_times(cron, "America/New_York", start, 2)
    utc = [moment.astimezone(UTC).replace(tzinfo=None) for moment in found]
    assert [moment.isoformat("T", "minutes") for moment in utc] == expected
