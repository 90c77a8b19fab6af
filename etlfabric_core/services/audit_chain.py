"""The chain of the audit log: each entry carries a keyed hash of itself and of the one before.

Entries are collected during a transaction and written when it is committed, so that the lock on
their organization's chain is held for a moment only, and always in the same order.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import RowMapping, Table, event, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from etlfabric_core.audit_keys import AuditKeys
from etlfabric_core.db.engine import AUDIT_KEYS
from etlfabric_core.models import AuditEntry

PENDING = "audit_entries"
# Every column but the hash itself.
FIELDS = (
    "id",
    "org_id",
    "number",
    "created_at",
    "user_id",
    "api_key_id",
    "action",
    "resource_type",
    "resource_id",
    "old_values",
    "new_values",
    "address",
    "request_id",
)
# Locks the end of a chain, or begins the chain, and draws what the new entries need. The two
# settings are what the policies look at: a transaction may note things of several chains.
_TAKE = text("""
WITH settings AS MATERIALIZED (
    SELECT set_config('app.org_id', coalesce(CAST(:org_id AS text), ''), true),
           set_config('app.platform',
                      CASE WHEN CAST(:org_id AS text) IS NULL THEN 'on' ELSE '' END, true)
), head AS (
    INSERT INTO audit_head (org_id, number, hash, signature)
    SELECT CAST(CAST(:org_id AS text) AS bigint), 0, '', '' FROM settings
    ON CONFLICT (org_id) DO UPDATE SET number = audit_head.number
    RETURNING number, hash
)
SELECT number, hash, clock_timestamp() AS now,
       ARRAY(SELECT nextval('audit_entry_id_seq') FROM generate_series(1, :count)) AS ids
FROM head
""")

Entry = Mapping[str, Any] | RowMapping
ENTRIES = cast(Table, AuditEntry.__table__)

_WRITE = text("""
WITH head AS (
    UPDATE audit_head SET number = :number, hash = :hash, signature = :signature
    WHERE org_id IS NOT DISTINCT FROM CAST(CAST(:org_id AS text) AS bigint)
)
INSERT INTO audit_entry
SELECT * FROM jsonb_populate_recordset(NULL::audit_entry, CAST(:entries AS jsonb))
""")


def append(session: AsyncSession, entry: dict[str, Any]) -> None:
    """Has the entry written when the session's transaction is committed.

    Raises:
        RuntimeError: the transaction is inside a savepoint, whose end would not take it back.
    """
    if session.in_nested_transaction():
        raise RuntimeError("note it in the audit log after the savepoint, not inside")
    session.info.setdefault(PENDING, []).append(entry)


def entry_bytes(entry: Entry, previous: bytes) -> bytes:
    """What the hash of an entry is made of. The same before it is stored and after."""
    fields = [_stable(entry[name]) for name in FIELDS]
    return _canonical(["entry", *fields, previous.hex()])


def head_bytes(org_id: int | None, number: int, hash: bytes) -> bytes:
    """What the signature of a chain's end is made of."""
    return _canonical(["head", org_id, number, hash.hex()])


def origin(unchained: Iterable[Entry]) -> bytes:
    """What stands before the first entry: a hash of the entries from before the chain."""
    digest = sha256()
    for entry in unchained:
        digest.update(entry_bytes(entry, b""))
    return digest.digest()


@event.listens_for(Session, "before_commit")
def _write(session: Session) -> None:
    if session.in_nested_transaction():
        return
    pending: list[dict[str, Any]] = session.info.pop(PENDING, [])
    chains: dict[int | None, list[dict[str, Any]]] = {}
    for entry in pending:
        chains.setdefault(entry["org_id"], []).append(entry)
    # In one order everywhere, or two transactions could wait for each other.
    for org_id in sorted(chains, key=lambda id: id or 0):
        _extend(session, org_id, chains[org_id])


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(PENDING, None)


def _extend(session: Session, org_id: int | None, entries: Sequence[dict[str, Any]]) -> None:
    keys: AuditKeys = session.info[AUDIT_KEYS]
    org = None if org_id is None else str(org_id)
    taken = session.execute(_TAKE, {"org_id": org, "count": len(entries)}).one()
    number, hash = taken.number, taken.hash
    if not number:
        hash = origin(_unchained(session, org_id))
    for entry, id in zip(entries, taken.ids, strict=True):
        number += 1
        entry.update(id=id, number=number, created_at=taken.now)
        entry["hash"] = hash = keys.sign(entry_bytes(entry, hash))
    signature = keys.sign(head_bytes(org_id, number, hash))
    stored = {
        "org_id": org,
        "number": number,
        "hash": hash,
        "signature": signature,
        "entries": json.dumps(entries, default=_as_text),
    }
    session.execute(_WRITE, stored)


def _unchained(session: Session, org_id: int | None) -> Iterable[RowMapping]:
    rows = (
        select(ENTRIES)
        .where(ENTRIES.c.org_id.is_not_distinct_from(org_id), ENTRIES.c.number.is_(None))
        .order_by(ENTRIES.c.id)
    )
    return session.connection().execute(rows.execution_options(yield_per=1000)).mappings()


def _canonical(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _as_text(value: object) -> str:
    """How PostgreSQL reads what JSON has no form for."""
    match value:
        case datetime():
            return value.isoformat()
        case bytes():
            return f"\\x{value.hex()}"
    raise TypeError(f"{type(value).__name__} cannot be noted in the audit log")


def _stable(value: Any) -> Any:
    """The value in the form that it also has when PostgreSQL gives it back."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case float():  # 1.0 and 1e30 come back as whole numbers or with another exponent
            return int(Decimal(repr(value))) if value.is_integer() else value
        case Mapping():
            return {key: _stable(item) for key, item in value.items()}
        case list() | tuple():
            return [_stable(item) for item in value]
        case _:
            return value
