"""What can go wrong on the client's side, and how it is shown."""

from typing import Any


class ClientError(Exception):
    """An answer that was not a success, or a file that is not right; `str()` is what to print."""

    def __init__(self, message: str, *, hint: str | None = None, status: int | None = None) -> None:
        super().__init__(message if hint is None else f"{message}\n  what to do: {hint}")
        self.status = status

    @classmethod
    def from_body(cls, status: int, body: dict[str, Any]) -> "ClientError":
        """From the service's one error shape."""
        lines = [str(body.get("message") or f"the service answered {status}")]
        lines += [f"  - {_problem(problem)}" for problem in body.get("problems") or ()]
        return cls("\n".join(lines), hint=body.get("hint"), status=status)


def _problem(problem: dict[str, Any]) -> str:
    where = [
        str(problem[key]) if key != "line" else f"line {problem[key]}"
        for key in ("node", "field", "line")
        if problem.get(key) is not None
    ]
    return ": ".join([", ".join(where), problem["message"]] if where else [problem["message"]])
