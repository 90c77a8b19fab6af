"""Whether a chain of the audit log is whole: nothing changed, removed, moved or added."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from anyio import to_thread
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.audit_keys import AuditKeys
from etlfabric_core.db.engine import AUDIT_KEYS
from etlfabric_core.errors import InvalidConfig
from etlfabric_core.models import AuditHead
from etlfabric_core.services.audit_chain import ENTRIES, entry_bytes, head_bytes

Row = Mapping[str, Any] | RowMapping
BATCH = 500


@dataclass(frozen=True)
class Head:
    """The end of a chain; whoever noted it elsewhere can prove later that it is still there."""

    number: int
    hash: bytes

    @classmethod
    def parse(cls, text: str) -> "Head":
        """From its text, `NUMBER:HASH`.

        Raises:
            InvalidConfig: the text is none that was printed for a head.
        """
        number, _, hash = text.partition(":")
        try:
            return cls(int(number), bytes.fromhex(hash))
        except ValueError as error:
            raise InvalidConfig(
                f"'{text}' is not the head of an audit log",
                hint="give it as NUMBER:HASH, as `etlfabric audit verify` printed it",
            ) from error

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"


@dataclass(frozen=True)
class Report:
    """What was found. `unchained` entries are from before the chain; `problem` is the first."""

    entries: int
    unchained: int
    head: Head | None
    problem: str | None

    @property
    def intact(self) -> bool:
        return self.problem is None


async def verify(session: AsyncSession, org_id: int | None, expect: Head | None = None) -> Report:
    """Checks the chain of an organization, or with None that of the platform.

    Entries and head are read by one statement: what is written meanwhile is not mistaken for
    tampering. With `expect`, the entry of that number must be the one that had that hash.
    """
    entry, head = ENTRIES, AuditHead.__table__
    heads = (head.c.number.label("end"), head.c.hash.label("end_hash"), head.c.signature)
    same = entry.c.org_id.is_not_distinct_from(head.c.org_id)
    rows = (
        select(entry, *heads)
        .select_from(entry.outerjoin(head, same))
        .where(entry.c.org_id.is_not_distinct_from(org_id))
        .order_by(entry.c.id)
        .execution_options(yield_per=BATCH)
    )
    walk = Walk(session.info[AUDIT_KEYS], org_id, expect)
    async for batch in (await session.stream(rows)).mappings().partitions(BATCH):
        # In a thread: a long log does not hold up other requests.
        await to_thread.run_sync(walk.steps, batch)
        if walk.problem:
            return walk.report()
    if walk.last is None:
        bare = await session.execute(
            select(*heads).where(head.c.org_id.is_not_distinct_from(org_id))
        )
        walk.end(bare.mappings().first())
    else:
        walk.end(walk.last)
    return walk.report()


class Walk:
    """A walk along a chain, entry by entry in the order of their ids, up to the first problem."""

    def __init__(self, keys: AuditKeys, org_id: int | None, expect: Head | None = None) -> None:
        self.keys, self.org_id, self.expect = keys, org_id, expect
        self.problem: str | None = None
        self.last: Row | None = None
        self._unchained, self._origin = 0, sha256()
        self._head = Head(0, b"")

    def steps(self, rows: Iterable[Row]) -> None:
        """Checks the next entries, up to the first problem."""
        for row in rows:
            if self.problem:
                return
            self.step(row)

    def step(self, row: Row) -> None:
        """Checks the next entry."""
        if self.last is None and self.org_id is not None and not self._is_birth(row):
            self.problem = f"{_name(row)}: the log does not begin with the organization's creation"
        elif row["number"] is not None:
            self._chained(row)
        elif self._head.number or row["hash"] is not None:
            self.problem = f"{_name(row)}: has no number, though it is not from before the chain"
        else:
            self._unchained += 1
            self._origin.update(entry_bytes(row, b""))
        self.last = row

    def end(self, head: Row | None) -> None:
        """Checks what must be true of the chain as a whole. `head` is the stored one, if any."""
        if head is None or head["end"] is None:
            if self._head.number or (self.org_id is not None and self.last is None):
                self.problem = "the record of the log's end is missing"
        elif not self.keys.verifies(
            head_bytes(self.org_id, head["end"], head["end_hash"]), head["signature"]
        ):
            self.problem = "the record of the log's end was changed"
        elif (head["end"], head["end_hash"]) != (self._head.number, self._head.hash):
            self.problem = (
                f"the log ends with entry {self._head.number}, it ended with {head['end']}: "
                "what came after was removed"
            )
        if self.problem is None and self.expect and self.expect.number > self._head.number:
            self.problem = f"the log ends before entry {self.expect.number}, which was expected"

    def report(self) -> Report:
        """What was found so far."""
        head = self._head if self._head.number else None
        return Report(self._head.number, self._unchained, head, self.problem)

    def _is_birth(self, row: Row) -> bool:
        born = (row["action"], row["resource_type"], row["resource_id"])
        return born == ("create", "organization", str(self.org_id))

    def _chained(self, row: Row) -> None:
        due, hash = self._head.number + 1, row["hash"] or b""
        before = self._head.hash if due > 1 else self._origin.digest()
        if row["number"] > due:
            self.problem = f"entry {due} is missing: {_name(row)} follows entry {due - 1}"
        elif row["number"] < due:
            self.problem = f"{_name(row)}: is out of its place, entry {due} is due"
        elif not self.keys.verifies(entry_bytes(row, before), hash):
            self.problem = f"{_name(row)}: was changed, or is not the one that was written"
        elif due > 1 and self.keys.age(hash) > self.keys.age(before):
            self.problem = f"{_name(row)}: is hashed with an older key than the entry before it"
        elif self.expect and self.expect.number == due and self.expect.hash != hash:
            self.problem = f"{_name(row)}: is not the one that was expected"
        else:
            self._head = Head(due, hash)


def _name(row: Row) -> str:
    number = "without number" if row["number"] is None else str(row["number"])
    what = f"{row['action']} {row['resource_type']} {row['resource_id']}"
    return f"entry {number} (id {row['id']}, {what})"
