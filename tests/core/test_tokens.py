"""Access tokens: what is said comes back, and nothing else is believed."""

from datetime import timedelta
from uuid import uuid4

import jwt
import pytest

from etlfabric_core import clock
from etlfabric_core.access.tokens import (
    ACCESS_LIFETIME,
    AUDIENCE,
    REFRESH_LIFETIME,
    Forged,
    Identity,
    issue_access,
    new_opaque,
    opaque_hash,
    read_access,
)
from etlfabric_core.errors import Unauthenticated
from tests.core.forged_tokens import OTHER_SECRET, forged

SECRET = "secret-of-this-test-" + "0123456789" * 5
# These are well-formed and signed: whether there is such a login, the database says.
SAID_TRUE = {"a login that never was", "another organization", "another user"}


@pytest.mark.feature("A6")
def test_what_was_issued_is_read() -> None:
    identity = Identity(7, 9, uuid4())
    assert read_access(issue_access(identity, SECRET), SECRET) == identity


@pytest.mark.feature("A6")
def test_the_two_lifetimes() -> None:
    assert timedelta(minutes=15) == ACCESS_LIFETIME
    assert timedelta(days=7) == REFRESH_LIFETIME
    claims = jwt.decode(
        issue_access(Identity(7, 9, uuid4()), SECRET),
        SECRET,
        algorithms=["HS256"],
        audience=AUDIENCE,
    )
    assert claims["exp"] - claims["iat"] == 15 * 60


@pytest.mark.feature("A6")
def test_an_expired_token_is_no_forgery(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = clock.now() - ACCESS_LIFETIME - timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: earlier)
    old = issue_access(Identity(7, 9, uuid4()), SECRET)
    with pytest.raises(Unauthenticated) as refused:
        read_access(old, SECRET)
    assert not isinstance(refused.value, Forged)


def test_forgeries_are_refused_with_one_answer() -> None:
    good = issue_access(Identity(7, 9, uuid4()), SECRET)
    answers, count = set(), 0
    for what, token in forged(good, SECRET):
        if what in SAID_TRUE:
            continue
        count += 1
        try:
            read_access(token, SECRET)
        except Unauthenticated as refused:
            answers.add(str(refused.body()))
        else:
            pytest.fail(what)
    assert count >= 30
    assert len(answers) == 1


def test_another_installation_is_another_world() -> None:
    with pytest.raises(Forged):
        read_access(issue_access(Identity(7, 9, uuid4()), OTHER_SECRET), SECRET)


def test_opaque_tokens_are_long_and_kept_by_hash() -> None:
    tokens = {new_opaque() for _ in range(1000)}
    assert len(tokens) == 1000
    assert min(len(token) for token in tokens) >= 43  # 256 bits
    token = tokens.pop()
    assert token.encode() not in opaque_hash(token)
