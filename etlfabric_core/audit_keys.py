"""Keys of the audit log: hashes that nobody can make who has the database alone."""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ID_BYTES = 4


class AuditKeys:
    """Makes and checks keyed hashes. The newest key makes them, every key checks.

    A hash begins with the id of its key, so that a chain stays provable over a change of keys.
    """

    def __init__(self, keys: str) -> None:
        """`keys` are secrets, newest first, separated by commas.

        Raises:
            ValueError: there is no key.
        """
        secrets = [key.strip() for key in keys.split(",") if key.strip()]
        if not secrets:
            raise ValueError("no audit key: set ETLFABRIC_AUDIT_KEYS")
        derived = [_derived(secret) for secret in secrets]
        self._keys = {sha256(key).digest()[:ID_BYTES]: key for key in derived}

    def sign(self, payload: bytes) -> bytes:
        """The keyed hash of the payload."""
        id, key = next(iter(self._keys.items()))
        return id + hmac.digest(key, payload, "sha256")

    def verifies(self, payload: bytes, signature: bytes) -> bool:
        """Whether the hash was made of this payload, with one of the keys."""
        key = self._keys.get(signature[:ID_BYTES])
        if key is None:
            return False
        return hmac.compare_digest(signature[ID_BYTES:], hmac.digest(key, payload, "sha256"))

    def age(self, signature: bytes) -> int:
        """How many keys are newer than the one that made the hash, which `verifies` knew."""
        return list(self._keys).index(signature[:ID_BYTES])


def _derived(secret: str) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"etlfabric audit chain").derive(secret.encode())
