"""Secrets open in their place, with a key that is still known, and not otherwise."""

import json
import string
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from etlfabric_core.crypto import Cipher, SecretBox, SecretUnreadable
from etlfabric_core.key_ring import KeyRing

# In base64's order, so that the next one differs in the last bit.
ALPHABET = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_").encode()
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
FIELD = "connection.secrets"
CIPHERS: tuple[Cipher, ...] = ("fernet", "aes-gcm")


def box(keys: str, cipher: Cipher = "fernet") -> SecretBox:
    return SecretBox(KeyRing(keys), cipher)


@pytest.mark.feature("A16")
@pytest.mark.parametrize("cipher", CIPHERS)
def test_what_is_sealed_opens_in_its_place_only(cipher: Cipher) -> None:
    sealing = box(NEW, cipher)
    sealed = sealing.seal({"password": "canary"}, org_id=7, field=FIELD)
    assert b"canary" not in sealed
    assert sealed.startswith(f"v2:{sealing.keys.newest().id}:{cipher}:".encode())
    for reading in CIPHERS:  # what is chosen for sealing does not matter for opening
        assert box(NEW, reading).open(sealed, org_id=7, field=FIELD) == {"password": "canary"}
    for place in ({"org_id": 8, "field": FIELD}, {"org_id": 7, "field": "organization.password"}):
        with pytest.raises(SecretUnreadable):
            sealing.open(sealed, **place)


@pytest.mark.feature("A16")
@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_new_key_seals_and_the_old_one_still_opens(cipher: Cipher) -> None:
    sealed = box(OLD, cipher).seal({"a": "b"}, org_id=1, field=FIELD)
    both = box(f"{NEW},{OLD}", cipher)
    assert both.open(sealed, org_id=1, field=FIELD) == {"a": "b"}
    again = both.seal({"a": "b"}, org_id=1, field=FIELD)
    assert box(NEW).open(again, org_id=1, field=FIELD) == {"a": "b"}
    for keys, value in ((NEW, sealed), (OLD, again)):
        with pytest.raises(SecretUnreadable):
            box(keys).open(value, org_id=1, field=FIELD)


def test_the_first_form_is_still_read() -> None:
    payload = json.dumps({"context": 7, "value": {"a": "b"}}).encode()
    sealed = b"v1:" + Fernet(OLD).encrypt(payload)
    both = box(f"{NEW},{OLD}")
    assert both.open(sealed, org_id=7, field=FIELD) == {"a": "b"}
    assert both.key_of(sealed) == box(OLD).keys.newest().id
    assert box(NEW).key_of(sealed) is None
    for keys, org_id in ((NEW, 7), (OLD, 8)):
        with pytest.raises(SecretUnreadable):
            box(keys).open(sealed, org_id=org_id, field=FIELD)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_value_that_was_changed_anywhere_does_not_open(cipher: Cipher) -> None:
    sealed = box(NEW, cipher).seal({"a": "b"}, org_id=1, field=FIELD)
    for at in range(0, len(sealed), 7):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(SecretUnreadable):
            box(NEW).open(changed, org_id=1, field=FIELD)


@pytest.mark.parametrize(
    "sealed", [b"", b"v1:", b"v1:garbage", b"v2:x", b"v2:\xff:fernet:x", b"v3:a:b:c", b"gAAAAA"]
)
def test_a_damaged_secret_says_what_to_do(sealed: bytes) -> None:
    with pytest.raises(SecretUnreadable) as caught:
        box(NEW).open(sealed, org_id=1, field=FIELD)
    assert "ETLFABRIC_ENCRYPTION_KEYS" in str(caught.value.hint)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_value_has_one_form_only(cipher: Cipher) -> None:
    """Where base64 is padded, the last character has bits that no decoder looks at."""
    values = [{"a": "b" * length} for length in range(60)]
    sealed = [box(NEW, cipher).seal(value, org_id=1, field=FIELD) for value in values]
    padded = [one for one in sealed if one.endswith(b"=")]
    assert padded
    for one in padded:
        text = one.rstrip(b"=")
        other = text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1 :][:1] + one[len(text) :]
        with pytest.raises(SecretUnreadable):
            box(NEW).open(other, org_id=1, field=FIELD)


@pytest.mark.parametrize(
    "keys",
    ["", " , ", "not a key", f"{NEW},short", NEW[:-4]],
    ids=["none", "only commas", "no key", "a short second", "cut off"],
)
def test_unusable_keys_are_refused(keys: str) -> None:
    with pytest.raises(ValueError, match="encryption key"):
        KeyRing(keys)


def test_a_file_of_keys_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{OLD}\n")
    service, other = (SecretBox(KeyRing(path=path)) for _ in range(2))
    path.write_text(f"{NEW}\n{OLD}\n")
    sealed = other.seal({"a": "b"}, org_id=1, field=FIELD)
    assert other.key_of(sealed) == box(NEW).keys.newest().id
    assert service.open(sealed, org_id=1, field=FIELD) == {"a": "b"}  # an unknown id: read again
    assert service.seal({}, org_id=1, field=FIELD).startswith(other.newest_prefix())


def test_a_file_that_became_unreadable_leaves_the_keys_in_force(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(NEW)
    sealing = SecretBox(KeyRing(path=path))
    for damage in (lambda: path.write_text("half a k"), path.unlink):
        damage()
        sealed = sealing.seal({"a": "b"}, org_id=1, field=FIELD)
        assert sealing.open(sealed, org_id=1, field=FIELD) == {"a": "b"}
    with pytest.raises(ValueError, match="keys"):
        KeyRing(path=path)
