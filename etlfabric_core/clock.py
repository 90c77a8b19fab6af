"""The one place that asks what time it is, so that a test can say it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current time, in UTC and with its zone."""
    return datetime.now(UTC)
