"""Which secrets are none: too short, taken from an example, or easy to guess."""

import math
from collections import Counter

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

TOKEN_LENGTH = 32
PASSWORD_LENGTH = 8
# A random token of 32 hexadecimal digits has about 120.
TOKEN_BITS = 96
PLACEHOLDERS = (
    "changeme",
    "change-me",
    "change_me",
    "example",
    "placeholder",
    "replace-me",
    "your-",
)
DEFAULTS = frozenset(
    {
        "password",
        "postgres",
        "secret",
        "admin",
        "administrator",
        "etlfabric",
        "airflow",
        "warehouse",
    }
)


def check_token(value: str) -> None:
    """Refuses what is no random token.

    Raises:
        ValueError: it is short, an example, or made of few characters.
    """
    _check_example(value, TOKEN_LENGTH)
    if _bits(value) < TOKEN_BITS:
        raise ValueError("is easy to guess: the same few characters repeat")


def check_password(value: str) -> None:
    """Refuses a password that is known or short; this one may have been chosen by a person.

    Raises:
        ValueError: it is short, a default, or one character over and over.
    """
    _check_example(value, PASSWORD_LENGTH)


def check_url_password(url: str) -> None:
    """The same for the password inside a database's URL, where there is one.

    Raises:
        ValueError: see `check_password`; or it is no URL.
    """
    try:
        password = make_url(url).password
    except ArgumentError:
        raise ValueError("is not the URL of a database") from None
    if password is not None:
        try:
            check_password(str(password))
        except ValueError as error:
            raise ValueError(f"its password {error}") from None


def _check_example(value: str, length: int) -> None:
    lowered = value.strip().lower()
    if lowered in DEFAULTS or any(word in lowered for word in PLACEHOLDERS):
        raise ValueError("is a value from an example, which everybody knows")
    if len(value) < length:
        raise ValueError(f"has fewer than {length} characters")
    if value in (value + value)[1:-1]:
        raise ValueError("is the same few characters over and over")


def _bits(value: str) -> float:
    """How much the frequencies of its characters tell, in bits: an upper bound of the entropy."""
    return -sum(n * math.log2(n / len(value)) for n in Counter(value).values())
