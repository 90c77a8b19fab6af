"""Values of cursors as text and back, each in the type that dlt keeps it in."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from etlfabric_core.errors import InvalidConfig, Problem

MOST_INTEGER = 2**63 - 1
DAY = 10  # characters of a date
ZONE = re.compile(r"(?:Z|[+-]\d\d(?::?\d\d)*)?$")


def told(value: Any) -> tuple[str, str | None]:
    """The name of its type, and the value as text. Numbers too: JSON cuts large ones."""
    if value is None:
        return "none", None
    kind = type_name(value)
    return kind, value.isoformat() if kind in ("timestamp", "date") else str(value)


def type_name(value: Any) -> str:
    """integer, number, timestamp, date or text."""
    for name, kinds in TYPES.items():
        if isinstance(value, kinds):
            return name
    return "text"


def parsed(text: str, like: Any) -> Any:
    """The text as a value of the same type as `like`.

    Raises:
        InvalidConfig: it is none.
    """
    kind = type_name(like)
    meant = "timestamp" if kind == "text" and _is_moment(like) else kind
    try:
        return PARSERS[kind](text.strip() if kind != "text" else text, like)
    except (ValueError, ArithmeticError) as error:
        raise InvalidConfig(
            f"value: not a {meant}",
            hint=f"write it like {told(like)[1]}",
            problems=[Problem(f"is not a {meant}", field="value")],
        ) from error


def _integer(text: str, _: Any) -> int:
    value = int(text)
    if abs(value) > MOST_INTEGER:
        raise ValueError("more than 64 bits")
    return value


def _number(text: str, like: Any) -> float | Decimal:
    value = type(like)(text)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value  # type: ignore[no-any-return]


def _timestamp(text: str, like: datetime) -> datetime:
    """Without a zone it is UTC. A cursor that has none is compared without one."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    moment = moment.astimezone(UTC)
    return moment if like.tzinfo else moment.replace(tzinfo=None)


def _is_moment(text: str) -> bool:
    """Loads that pass rows on unread keep moments as the source writes them, which is text."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "-" in text  # digits alone may count anything


def _text(text: str, like: str) -> str:
    if "\0" in text:
        raise ValueError("NUL")
    if not _is_moment(like):
        return text
    if not _is_moment(text):
        raise ValueError("not a moment")
    return _written_like(datetime.fromisoformat(text), like)


def _written_like(moment: datetime, like: str) -> str:
    """Cursors that are texts are compared as such: a moment takes the form of the source's own."""
    zone = datetime.fromisoformat(like).tzinfo or UTC
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(zone)
    if len(like) == DAY:
        return moment.date().isoformat()
    lowest = lowest_text(moment, separator=like[DAY])
    is_whole = "." not in like and not moment.microsecond
    return lowest + ZONE.search(like, DAY)[0] if is_whole else lowest  # type: ignore[index]


def lowest_text(moment: datetime, separator: str = " ") -> str:
    """The moment as a text that is not above any later one, however the source writes these.

    Sources differ in the zone that they write and in the digits of a second: all are left out that
    can be. What the separator is and which zone is meant has to be known.
    """
    text = moment.replace(tzinfo=None).isoformat(sep=separator)
    return text.rstrip("0") if moment.microsecond else text


# A timestamp is also a date to Python: it comes first.
TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (float, Decimal),
    "timestamp": (datetime,),
    "date": (date,),
}
PARSERS: dict[str, Callable[[str, Any], Any]] = {
    "integer": _integer,
    "number": _number,
    "timestamp": _timestamp,
    "date": lambda text, _: date.fromisoformat(text),
    "text": _text,
}
