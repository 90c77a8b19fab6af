"""An audit log to tamper with: two chains, and a hundred ways to break one as the database's owner.

Each way is a function of a random generator and returns what it did. It runs in a transaction that
is rolled back, with all the rights of a superuser and without the keys of the service.
"""

import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.audit_keys import AuditKeys
from etlfabric_core.services import audit_chain
from etlfabric_core.services.audit_check import Head

# With a key of their own they can hash anew what they like.
FORGERS_KEYS = AuditKeys("a key that the service does not know")
# What an empty column is filled with; else a number.
FILLED = {"address": "10.0.0.1", "request_id": "forged", "hash": b"forged"}
COLUMNS = tuple(name for name in audit_chain.FIELDS if name != "org_id")


@dataclass(frozen=True)
class Chains:
    """Two organizations, how long their logs are, and every head that the first one ever had."""

    a: int
    b: int
    length: int
    unchained: int
    heads: list[dict[str, Any]]


class Forger:
    """Somebody with the database alone."""

    def __init__(self, session: AsyncSession, chains: Chains, seed: int) -> None:
        self.session, self.chains, self.random = session, chains, random.Random(seed)
        self.expect: Head | None = None

    async def run(self, statement: str, **values: Any) -> int:
        """Executes a statement that must change something; how many rows."""
        result = await self.session.execute(text(statement), values)
        count = int(result.rowcount)  # type: ignore[attr-defined]
        assert count > 0, statement
        return count

    async def rows(self) -> list[dict[str, Any]]:
        """The log of the first organization."""
        found = await self.session.execute(
            text("SELECT * FROM audit_entry WHERE org_id = :a ORDER BY id"), {"a": self.chains.a}
        )
        return [dict(row) for row in found.mappings()]

    async def pick(self) -> dict[str, Any]:
        """Any of its entries."""
        return self.random.choice(await self.rows())

    async def put(self, row: dict[str, Any]) -> None:
        """Stores an entry of this content over the one of its id."""
        names = [name for name in (*COLUMNS, "hash") if name != "id"]
        values = ", ".join(f"{name} = x.{name}" for name in names)
        await self.run(
            f"UPDATE audit_entry e SET {values} FROM jsonb_populate_record(NULL::audit_entry, "
            "CAST(:row AS jsonb)) x WHERE e.id = x.id",
            row=_json(row),
        )

    async def insert(self, row: dict[str, Any]) -> None:
        """Stores one more entry."""
        await self.run(
            "INSERT INTO audit_entry SELECT * FROM "
            "jsonb_populate_record(NULL::audit_entry, CAST(:row AS jsonb))",
            row=_json(row),
        )

    async def allow_duplicates(self) -> None:
        """Whoever owns the table can drop its indexes too."""
        await self.session.execute(text("DROP INDEX uq_audit_entry_org_id_number"))

    async def set_head(self, number: int, hash: bytes, signature: bytes | None = None) -> None:
        """Writes the record of the log's end; without a signature it keeps the old one."""
        await self.run(
            "UPDATE audit_head SET number = :number, hash = :hash, "
            "signature = coalesce(:signature, signature) WHERE org_id = :a",
            number=number,
            hash=hash,
            signature=signature,
            a=self.chains.a,
        )


async def edit(forger: Forger) -> str:
    row, name = await forger.pick(), forger.random.choice((*COLUMNS, "hash"))
    row_id = row["id"]
    if name == "number":
        await forger.allow_duplicates()
    value = _other(row[name], name, forger.random)
    cast = {"old_values": "jsonb", "new_values": "jsonb", "created_at": "timestamptz"}.get(name)
    given = f"CAST(:value AS {cast})" if cast else ":value"
    await forger.run(
        f"UPDATE audit_entry SET {name} = {given} WHERE id = :id",
        value=value,
        id=row_id,
    )
    return f"{name} of id {row_id} set to {value!r}"


async def delete(forger: Forger) -> str:
    row = await forger.pick()
    await forger.run("DELETE FROM audit_entry WHERE id = :id", id=row["id"])
    return f"deleted id {row['id']}"


async def delete_and_renumber(forger: Forger) -> str:
    rows = await forger.rows()
    at = forger.random.randrange(forger.chains.unchained, len(rows))
    await forger.allow_duplicates()
    await forger.run("DELETE FROM audit_entry WHERE id = :id", id=rows[at]["id"])
    for row in rows[at + 1 :]:
        await forger.put(row | {"number": row["number"] - 1})
    if len(rows) > at + 1:
        await forger.set_head(rows[-1]["number"] - 1, rows[-1]["hash"])
    return f"deleted id {rows[at]['id']} and numbered the rest anew"


async def truncate(forger: Forger) -> str:
    rows = await forger.rows()
    left = forger.random.randrange(len(rows))
    await forger.run(
        "DELETE FROM audit_entry WHERE org_id = :a AND id > :id",
        a=forger.chains.a,
        id=rows[left - 1]["id"] if left else 0,
    )
    last = rows[left - 1] if left else {"number": None}
    if last["number"] and forger.random.random() < 0.7:
        await forger.set_head(last["number"], last["hash"])
        return f"cut after {left} entries, with the head set back"
    if forger.random.random() < 0.5:
        await forger.run("DELETE FROM audit_head WHERE org_id = :a", a=forger.chains.a)
        if last["number"] is None and left:
            # What is left looks like a log from before the chain: only who noted its head can tell.
            forger.expect = _noted(forger.chains.heads[-1])
        return f"cut after {left} entries, with its head"
    return f"cut after {left} entries"


async def swap(forger: Forger) -> str:
    one, two = forger.random.sample(await forger.rows(), 2)
    kept = forger.random.choice((("id",), ("id", "number"), ("id", "number", "created_at")))
    await forger.allow_duplicates()
    await forger.put(two | {name: one[name] for name in kept})
    await forger.put(one | {name: two[name] for name in kept})
    return f"swapped ids {one['id']} and {two['id']}, keeping {kept}"


async def move_to_other(forger: Forger) -> str:
    row = await forger.pick()
    await forger.allow_duplicates()
    await forger.run(
        "UPDATE audit_entry SET org_id = :b WHERE id = :id", b=forger.chains.b, id=row["id"]
    )
    return f"moved id {row['id']} to the other organization"


async def take_from_other(forger: Forger) -> str:
    await forger.allow_duplicates()
    await forger.run(
        "UPDATE audit_entry SET org_id = :a WHERE id = (SELECT id FROM audit_entry "
        "WHERE org_id = :b ORDER BY id OFFSET :n LIMIT 1)",
        a=forger.chains.a,
        b=forger.chains.b,
        n=forger.random.randrange(forger.chains.length),
    )
    return "took an entry of the other organization"


async def exchange_logs(forger: Forger) -> str:
    await forger.allow_duplicates()
    await forger.session.execute(
        text("ALTER TABLE audit_head DROP CONSTRAINT uq_audit_head_org_id")
    )
    for table in ("audit_entry", "audit_head"):
        await forger.run(
            f"UPDATE {table} SET org_id = CASE org_id WHEN :a THEN CAST(:b AS bigint) ELSE :a END "
            "WHERE org_id IN (:a, :b)",
            a=forger.chains.a,
            b=forger.chains.b,
        )
    return "exchanged the whole logs of two organizations"


async def insert(forger: Forger) -> str:
    rows = await forger.rows()
    at = forger.random.randrange(len(rows))
    await forger.allow_duplicates()
    forged = rows[at] | {"id": rows[-1]["id"] + 1_000_000, "resource_id": "forged"}
    forged["number"] = forger.random.choice((rows[-1]["number"] + 1, rows[at]["number"], None))
    if forger.random.random() < 0.5 and forged["number"]:
        forged["hash"] = FORGERS_KEYS.sign(audit_chain.entry_bytes(forged, rows[-1]["hash"]))
        await forger.set_head(forged["number"], forged["hash"])
    await forger.insert(forged)
    return f"inserted an entry with number {forged['number']}"


async def replay(forger: Forger) -> str:
    rows = await forger.rows()
    await forger.allow_duplicates()
    copy = forger.random.choice(rows) | {"id": rows[-1]["id"] + 1_000_000}
    await forger.insert(copy)
    return f"repeated entry {copy['number']}"


async def forge_all(forger: Forger) -> str:
    rows = (await forger.rows())[forger.chains.unchained :]
    at = forger.random.randrange(len(rows))
    hash = rows[at - 1]["hash"] if at else b""
    for row in rows[at:]:
        changed = row | {"resource_id": "forged"}
        changed["hash"] = hash = FORGERS_KEYS.sign(audit_chain.entry_bytes(changed, hash))
        await forger.put(changed)
    head = audit_chain.head_bytes(forger.chains.a, rows[-1]["number"], hash)
    await forger.set_head(rows[-1]["number"], hash, FORGERS_KEYS.sign(head))
    return f"wrote all from entry {at + 1} on anew with another key"


async def damage_head(forger: Forger) -> str:
    changes = ("number = number + 1", "hash = hash || 'x'", "signature = hash")
    updates = [f"UPDATE audit_head SET {change}" for change in changes]
    what = forger.random.choice(("DELETE FROM audit_head", *updates))
    await forger.run(f"{what} WHERE org_id = :a", a=forger.chains.a)
    return what


async def older_state(forger: Forger) -> str:
    """As from a backup, with a head that was true once: only who noted a later head can tell."""
    heads = forger.chains.heads
    old = forger.random.choice(heads[:-1])
    await forger.run(
        "DELETE FROM audit_entry WHERE org_id = :a AND number > :n",
        a=forger.chains.a,
        n=old["number"],
    )
    await forger.set_head(old["number"], old["hash"], old["signature"])
    later = forger.random.choice([head for head in heads if head["number"] > old["number"]])
    forger.expect = _noted(later)
    return f"set back to entry {old['number']}, {later['number']} was noted"


TAMPERINGS: tuple[Callable[[Forger], Awaitable[str]], ...] = (
    edit,
    edit,  # there are many columns
    edit,
    delete,
    delete_and_renumber,
    truncate,
    swap,
    move_to_other,
    take_from_other,
    exchange_logs,
    insert,
    replay,
    forge_all,
    damage_head,
    older_state,
)


def _noted(head: dict[str, Any]) -> Head:
    return Head(head["number"], head["hash"])


def _other(value: Any, name: str, random: random.Random) -> Any:
    """Another value of the same column, often the one that differs least."""
    if name in ("old_values", "new_values"):
        return random.choice(['{"forged": true}', "{}", '{"n": 1.5}'])
    if name == "id":
        return value + 1_000_000
    match value:
        case bytes():
            at = random.randrange(len(value))
            return value[:at] + bytes([value[at] ^ 1 << random.randrange(8)]) + value[at + 1 :]
        case datetime():
            return value + timedelta(microseconds=random.choice((-1, 1, 86_400_000_000)))
        case int():
            return value + random.choice((-1, 1, 1_000_000))
        case str():
            return random.choice((value + " ", value.upper() + "x"))
    return FILLED.get(name, 1)


def _json(row: dict[str, Any]) -> str:
    def plain(value: Any) -> Any:
        match value:
            case bytes():
                return "\\x" + value.hex()
            case datetime():
                return value.isoformat()
        raise TypeError(type(value))

    return json.dumps(row, default=plain)
