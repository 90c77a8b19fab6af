"""Passwords: argon2id hashes, bcrypt ones until their owner signs in, and what is too weak."""

import re
from collections.abc import Iterable

import bcrypt
from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from etlfabric_core.errors import InvalidConfig, Problem

MIN_LENGTH = 8
MAX_LENGTH = 1024
BCRYPT_PREFIXES = ("$2a$", "$2b$", "$2y$")
BCRYPT_MAX_BYTES = 72  # it never looked at more
# zxcvbn: below this, a million guesses are enough.
MIN_SCORE = 2
ZXCVBN_MAX_LENGTH = 72
MIN_WORD_LENGTH = 3

_HASHER = PasswordHasher()
# Verified against when there is no such user, so that both answers take the same time.
_NOBODY = _HASHER.hash("nobody has this password")
# One hash takes 64 MiB: many people who sign in at once wait for each other, not for memory.
_HASHING = CapacityLimiter(4)


async def hash_password(password: str) -> str:
    """The argon2id hash, with its parameters and salt."""
    return await to_thread.run_sync(_HASHER.hash, password, limiter=_HASHING)


async def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password is right. None, for an unknown user, takes as long and is False."""
    return await to_thread.run_sync(_verify, password, password_hash, limiter=_HASHING)


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made by bcrypt, or with weaker parameters than today's."""
    return _is_bcrypt(password_hash) or _HASHER.check_needs_rehash(password_hash)


async def check_strength(password: str, *, field: str, about: Iterable[str] = ()) -> None:
    """Refuses what is guessed first. `about`: name, address and organization of its owner.

    Raises:
        InvalidConfig: it is common or easily guessed, or little more than the words of `about`.
    """
    words = _words(about)
    complaint = _too_personal(password, words)
    complaint = complaint or await to_thread.run_sync(_too_common, password, words)
    if complaint:
        raise InvalidConfig(
            f"{field}: {complaint}",
            hint="choose a longer one, such as four words that have nothing to do with each other",
            problems=[Problem(complaint, field=field)],
        )


def _verify(password: str, password_hash: str | None) -> bool:
    if password_hash is not None and _is_bcrypt(password_hash):
        return _verify_bcrypt(password, password_hash)
    try:
        right = _HASHER.verify(password_hash or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return right and password_hash is not None


def _verify_bcrypt(password: str, password_hash: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:BCRYPT_MAX_BYTES], password_hash.encode())
    except ValueError:  # not a hash, or a password that bcrypt cannot have hashed
        return False


def _is_bcrypt(password_hash: str) -> bool:
    return password_hash.startswith(BCRYPT_PREFIXES)


def _words(about: Iterable[str]) -> list[str]:
    found = {word.casefold() for text in about for word in re.findall(r"[^\W_]+", text)}
    return sorted((word for word in found if len(word) >= MIN_WORD_LENGTH), key=len, reverse=True)


def _too_personal(password: str, words: Iterable[str]) -> str | None:
    rest = password.casefold()
    for word in words:
        rest = rest.replace(word, "")
    if len(rest) >= MIN_LENGTH or len(rest) == len(password):
        return None
    return "is little more than your name, your address or your organization's name"


def _too_common(password: str, words: list[str]) -> str | None:
    # Inside: its lists of common passwords and names take time to load.
    from zxcvbn import zxcvbn

    found = zxcvbn(password[:ZXCVBN_MAX_LENGTH], user_inputs=words)
    if found["score"] >= MIN_SCORE:
        return None
    warning = str(found["feedback"]["warning"] or "is too easy to guess").rstrip(".")
    return warning[0].lower() + warning[1:]
