"""Every error that a user can meet. Each one knows its HTTP status, its code and what to do next.

FabricError
├── NotFound 404            the object does not exist, or belongs to another organization
├── Conflict 409            the request collides with what is stored
├── Unauthenticated 401     nobody is signed in
├── Forbidden 403           the role or key lacks a permission
├── PreconditionFailed 412  somebody else changed the object since it was read
├── TooManyRequests 429     too much in a short time; says when to try again
├── TooLarge 413            the body or file is larger than what is accepted
├── InvalidConfig 422       the request is well-formed but wrong; carries `problems`
├── UpstreamUnavailable 502 a system behind the service did not answer
├── TerminalError 422       a runner failed in a way that a retry cannot mend
└── TransientError 503      a runner failed in a way that a retry may mend
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where: a request field, a graph node, a line of SQL."""

    message: str
    field: str | None = None
    node: str | None = None
    edge: tuple[str, str] | None = None
    line: int | None = None


class FabricError(Exception):
    """Base of all errors. `message` says what happened, `hint` what to do now."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    audited = False  # whether the audit log notes that somebody was turned away with this

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        problems: Sequence[Problem] = (),
        audited: bool | None = None,
    ) -> None:
        """`audited` where this one error differs from its kind."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.problems = tuple(problems)
        if audited is not None:
            self.audited = audited

    def body(self) -> dict[str, Any]:
        """The one shape in which every error leaves the service."""
        return {
            "error": self.code,
            "message": self.message,
            "hint": self.hint,
            "problems": [asdict(problem) for problem in self.problems],
        }


class NotFound(FabricError):
    """404. Also the answer for another organization's object, so that existence does not leak."""

    status = 404
    code = "not_found"


class Conflict(FabricError):
    """409."""

    status = 409
    code = "conflict"


class Unauthenticated(FabricError):
    """401."""

    status = 401
    code = "unauthenticated"
    audited = True


class Forbidden(FabricError):
    """403."""

    status = 403
    code = "forbidden"
    audited = True


class PreconditionFailed(FabricError):
    """412."""

    status = 412
    code = "stale"


class TooLarge(FabricError):
    """413."""

    status = 413
    code = "too_large"


class TooManyRequests(FabricError):
    """429."""

    status = 429
    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after: int, hint: str | None = None) -> None:
        """`retry_after` in seconds."""
        super().__init__(message, hint=hint or f"try again in {retry_after} s")
        self.retry_after = retry_after


class InvalidConfig(FabricError):
    """422."""

    status = 422
    code = "invalid"


class UpstreamUnavailable(FabricError):
    """502."""

    status = 502
    code = "upstream_unavailable"


class TerminalError(FabricError):
    """A retry would fail in the same way: bad credentials, bad SQL, a broken contract."""

    status = 422
    code = "terminal"


class TransientError(FabricError):
    """A retry may succeed: network, lock, a service that is away."""

    status = 503
    code = "transient"
