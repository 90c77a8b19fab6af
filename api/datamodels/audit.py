"""Bodies of the audit log."""

import json
from datetime import datetime
from typing import Any

from api.datamodels.base import Answer
from etlfabric_core.services.audit_check import Report
from etlfabric_core.services.audit_entries import NamedEntry


class AuditUserOut(Answer):
    """Who acted; also somebody who has left."""

    id: int
    name: str | None
    email: str | None


class AuditKeyOut(Answer):
    """The API key that was used; also one that was revoked."""

    id: int
    name: str | None


class AuditEntryOut(Answer):
    """One entry. Of secrets it holds the names of the fields, never a value."""

    id: int
    number: int | None
    created_at: datetime
    user: AuditUserOut | None
    api_key: AuditKeyOut | None
    action: str
    resource_type: str
    resource_id: str
    old_values: dict[str, Any] | None
    new_values: dict[str, Any] | None
    address: str | None
    request_id: str | None

    @classmethod
    def of(cls, named: NamedEntry) -> "AuditEntryOut":
        """From an entry and the names of who acted."""
        entry = named.entry
        own = {name: getattr(entry, name) for name in cls.model_fields if hasattr(entry, name)}
        return cls.model_validate(own | {"user": named.user, "api_key": named.api_key})

    def cells(self) -> list[str | None]:
        """The columns of the export, in the order of `CSV_COLUMNS`."""
        user, key = self.user, self.api_key
        return [
            None if self.number is None else str(self.number),
            self.created_at.isoformat(),
            user.email if user else None,
            user.name if user else None,
            key.name if key else None,
            self.action,
            self.resource_type,
            self.resource_id,
            _json(self.old_values),
            _json(self.new_values),
            self.address,
            self.request_id,
        ]


CSV_COLUMNS = (
    "number",
    "created_at",
    "user_email",
    "user_name",
    "api_key",
    "action",
    "resource_type",
    "resource_id",
    "old_values",
    "new_values",
    "address",
    "request_id",
)


class AuditReportOut(Answer):
    """Whether the log is whole. `unchained` entries were written before it was chained."""

    intact: bool
    entries: int
    unchained: int
    head: str | None
    problem: str | None

    @classmethod
    def of(cls, report: Report) -> "AuditReportOut":
        """From what the check found."""
        head = None if report.head is None else str(report.head)
        return cls(
            intact=report.intact,
            entries=report.entries,
            unchained=report.unchained,
            head=head,
            problem=report.problem,
        )


def _json(values: dict[str, Any] | None) -> str | None:
    return None if values is None else json.dumps(values, ensure_ascii=False)
