"""Cron schedules: is one right, what does it mean, when does it run next."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from cron_descriptor import CasingTypeEnum, ExpressionDescriptor, Options
from croniter import croniter
from croniter.croniter import CroniterError

from etlfabric_core.errors import Problem

# No `@daily`, and none of croniter's own random (R) or hashed (H) fields.
_FIELD = re.compile(
    r"[\d*/,#-]+|(?:(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    r"|L|\d+)[/,#-]?)+",
    re.IGNORECASE,
)
_EXAMPLE = "write five fields, such as '0 6 * * 1-5': minute, hour, day, month, day of the week"


def cron_problem(cron: str) -> Problem | None:
    """What is wrong with a cron expression."""
    fields = cron.split()
    if len(fields) != 5:
        return Problem(f"'{cron}' has {len(fields)} fields; {_EXAMPLE}", field="cron")
    if not all(_FIELD.fullmatch(field) for field in fields) or not croniter.is_valid(cron):
        return Problem(f"'{cron}' is no cron expression; {_EXAMPLE}", field="cron")
    try:
        croniter(cron, datetime(2024, 1, 1, tzinfo=UTC)).get_next()
    except CroniterError:
        return Problem(f"'{cron}' never comes: no month has such a day", field="cron")
    return None


def timezone_problem(name: str) -> Problem | None:
    """What is wrong with the name of a time zone."""
    if name in available_timezones():
        return None
    return Problem(f"'{name}' is no time zone; write one such as 'Europe/Berlin'", field="timezone")


def describe(cron: str) -> str:
    """The expression in words; it has to be a right one."""
    options = Options()
    options.use_24hour_time_format = True
    options.casing_type = CasingTypeEnum.Sentence
    return str(ExpressionDescriptor(cron, options).get_description())


def next_times(cron: str, timezone: str, after: datetime, count: int) -> tuple[datetime, ...]:
    """The next times, in the zone: the same ones that Airflow's cron timetables give."""
    times = _times(cron, ZoneInfo(timezone), after)
    return tuple(next(times) for _ in range(count))


def _times(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    moment = after.astimezone(UTC)
    every_hour = croniter(cron).expanded[1] == ["*"]
    while True:
        naive = moment.astimezone(zone).replace(tzinfo=None)
        due = croniter(cron, naive).get_next(datetime)
        # A clock change neither skips nor doubles runs that come every hour; others follow the
        # wall clock, and the later of two equal clock times.
        moment = moment + (due - naive) if every_hour else _instant(due, zone)
        yield moment.astimezone(zone)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which a wall clock shows that time; in a gap, as if the clock ran on."""
    first, later = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = (moment.utcoffset() or timedelta() for moment in (first, later))
    return (first if before < after else later).astimezone(UTC)
