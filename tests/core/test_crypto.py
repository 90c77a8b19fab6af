"""Sealed secrets: rotation, the context, and refusing to work without a key."""

import pytest
from cryptography.fernet import Fernet

from etlfabric_core.crypto import SecretBox, SecretUnreadable

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.feature("A16")
def test_what_is_sealed_opens_for_its_organization_only() -> None:
    box = SecretBox(NEW)
    sealed = box.seal({"password": "canary"}, context=7)
    assert b"canary" not in sealed
    assert box.open(sealed, context=7) == {"password": "canary"}
    with pytest.raises(SecretUnreadable):
        box.open(sealed, context=8)


def test_keys_rotate() -> None:
    sealed = SecretBox(OLD).seal({"a": "b"}, context=1)
    both = SecretBox(f"{NEW},{OLD}")
    assert both.open(sealed, context=1) == {"a": "b"}
    again = both.reseal(sealed, context=1)
    assert SecretBox(NEW).open(again, context=1) == {"a": "b"}
    with pytest.raises(SecretUnreadable):
        SecretBox(NEW).open(sealed, context=1)


@pytest.mark.parametrize("sealed", [b"", b"v1:", b"v1:garbage", b"v2:x", b"gAAAAA"])
def test_a_damaged_secret_says_what_to_do(sealed: bytes) -> None:
    with pytest.raises(SecretUnreadable) as caught:
        SecretBox(NEW).open(sealed, context=1)
    assert "ETLFABRIC_ENCRYPTION_KEYS" in (caught.value.hint or "")


@pytest.mark.parametrize("keys", ["", " , ", "too-short"])
def test_no_start_without_a_key(keys: str) -> None:
    with pytest.raises(ValueError, match="key"):
        SecretBox(keys)
