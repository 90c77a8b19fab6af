"""The thin client of the metadata service's /internal/v1 routes."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from etlfabric_core import clock
from etlfabric_core.errors import (
    Conflict,
    FabricError,
    Forbidden,
    NotFound,
    TerminalError,
    TransientError,
    Unauthenticated,
)
from etlfabric_core.specs.context import (
    ChangeReport,
    ContextRequest,
    Lease,
    LeaseRequest,
    Progress,
    RunContext,
    TaskReport,
)
from etlfabric_core.specs.document import Publication, Refused
from etlfabric_core.specs.operators import Operator, OperatorSignIn

_PREFIX = "/internal/v1"
_RETRIABLE = frozenset({408, 425, 429})

Refusals = Mapping[int, type[FabricError]]
# What a task is refused ends it; somebody who signs in is told.
_REFUSALS: Refusals = {409: Conflict}
_SIGN_IN: Refusals = {401: Unauthenticated, 403: Forbidden}


@dataclass(frozen=True)
class Service:
    """Where the metadata service is, and what is shown to it. `timeout` in seconds."""

    url: str
    token: str
    timeout: float = 15.0

    @classmethod
    def from_environment(cls, timeout: float = 15.0) -> "Service":
        """From ETLFABRIC_API_URL and ETLFABRIC_INTERNAL_TOKEN."""
        url = os.environ["ETLFABRIC_API_URL"]
        return cls(url.rstrip("/"), os.environ["ETLFABRIC_INTERNAL_TOKEN"], timeout)

    def client(self) -> httpx.Client:
        """A client of its own per use: tasks fork, and a connection must not be shared."""
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=self.timeout,
            trust_env=False,
        )

    def get(self, path: str, **params: Any) -> bytes:
        """The body of an answer, as it came."""
        return self._ask("GET", path, params=params).content

    def spec(self, org: str, workflow: str, at: int) -> Publication:
        """The newest publication of a workflow at or below `at`."""
        return Publication.model_validate_json(self.get(f"/specs/{org}/{workflow}", at=at))

    def blob(self, sha256: str) -> bytes:
        """A stored document, checked against its name."""
        content = self.get(f"/blobs/{sha256}")
        verify(hashlib.sha256(content).hexdigest(), sha256)
        return content

    def refuse(self, refused: Refused) -> None:
        """Tell the service, and so the organization, what could not be built."""
        self._ask("POST", "/refusals", content=refused.model_dump_json())

    def run_context(self, request: ContextRequest) -> RunContext:
        answer = self._ask("POST", "/run-context", content=request.model_dump_json())
        return RunContext.model_validate_json(answer.content)

    def progress(self, progress: Progress) -> None:
        self._ask("POST", "/progress", content=progress.model_dump_json())

    def found_changes(self, report: ChangeReport) -> None:
        self._ask("POST", "/schema-changes", content=report.model_dump_json())

    def report(self, report: TaskReport) -> None:
        self._ask("POST", "/reports", content=report.model_dump_json())

    def lease(self, action: str, request: LeaseRequest) -> tuple[Lease, float]:
        """Acquire, renew or release. Answers the lease and for how many seconds it holds.

        Raises:
            Conflict: somebody else holds it, or a newer holder fenced this one.
        """
        answer = self._ask("POST", f"/leases/{action}", content=request.model_dump_json())
        lease = Lease.model_validate_json(answer.content)
        stamp = answer.headers.get("date")  # the service's clock, not ours
        now = parsedate_to_datetime(stamp) if stamp else clock.now()
        return lease, (lease.expires_at - now).total_seconds()

    def sign_in(self, attempt: OperatorSignIn) -> Operator:
        """Whom the service lets sign in to Airflow.

        Raises:
            Unauthenticated: unknown, or the password is wrong.
            Forbidden: a right password, but nothing to operate.
        """
        content = attempt.model_dump_json()
        answer = self._ask("POST", "/operators/sign-in", _SIGN_IN, content=content)
        return Operator.model_validate_json(answer.content)

    def operator(self, user_id: int) -> Operator:
        """What somebody may operate now.

        Raises:
            NotFound: nothing.
        """
        answer = self._ask("GET", f"/operators/{user_id}", {404: NotFound})
        return Operator.model_validate_json(answer.content)

    def download(self, path: str, sha256: str, target: Path, **params: Any) -> None:
        """Stream a file of the service to `target`, whole and verified or not at all."""
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
            try:
                for chunk in self._stream(path, params):
                    digest.update(chunk)
                    part.write(chunk)
                verify(digest.hexdigest(), sha256)
                Path(part.name).replace(target)
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise

    def _stream(self, path: str, params: dict[str, Any]):
        where = path if path.startswith(_PREFIX) else f"{_PREFIX}{path}"
        try:
            with self.client() as client, client.stream("GET", where, params=params) as answer:
                if answer.is_error:
                    answer.read()
                _raise_for(answer)
                yield from answer.iter_bytes(1 << 20)
        except httpx.TransportError as error:
            raise _away(error) from error

    def _ask(
        self, method: str, path: str, refusals: Refusals = _REFUSALS, **options: Any
    ) -> httpx.Response:
        if "content" in options:
            options["headers"] = {"Content-Type": "application/json"}
        try:
            with self.client() as client:
                answer = client.request(method, f"{_PREFIX}{path}", **options)
        except httpx.TransportError as error:
            raise _away(error) from error
        _raise_for(answer, refusals)
        return answer


def verify(found: str, wanted: str) -> None:
    """Raises:
    TransientError: the bytes are not those that were asked for.
    """
    if found != wanted:
        raise TransientError(
            f"the metadata service sent other bytes than {wanted[:12]}…",
            hint="The download is tried again; if it keeps failing, check the storage.",
        )


def _away(error: Exception) -> TransientError:
    return TransientError(
        f"the metadata service did not answer ({type(error).__name__})",
        hint="It is asked again; if this lasts, check that the service runs.",
    )


def _raise_for(answer: httpx.Response, refusals: Refusals = _REFUSALS) -> None:
    if answer.is_success:
        return
    message, hint = _explain(answer)
    if answer.status_code in refusals:
        raise refusals[answer.status_code](message, hint=hint)
    if answer.is_client_error and answer.status_code not in _RETRIABLE:
        raise TerminalError(message, hint=hint)
    raise TransientError(message, hint=hint)


def _explain(answer: httpx.Response) -> tuple[str, str | None]:
    try:
        body = answer.json()
        return str(body["message"]), body.get("hint")
    except (ValueError, KeyError, TypeError):
        return f"the metadata service answered {answer.status_code}", None
