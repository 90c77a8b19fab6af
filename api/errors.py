"""One shape for every error that leaves the service."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from etlfabric_core.access.throttle import network
from etlfabric_core.errors import (
    Conflict,
    FabricError,
    InvalidConfig,
    NotFound,
    Problem,
    TooLarge,
    TooManyRequests,
    TransientError,
)
from etlfabric_core.services import denials
from etlfabric_core.services.denials import Denial

log = structlog.get_logger()


class ProblemBody(BaseModel):
    """One thing that is wrong, and where."""

    message: str
    field: str | None = None
    node: str | None = None
    edge: tuple[str, str] | None = None
    line: int | None = None


class ErrorBody(BaseModel):
    """What happened, and what to do now."""

    error: str
    message: str
    hint: str | None = None
    problems: list[ProblemBody] = []


Responses = dict[int | str, dict[str, Any]]


def errors(*kinds: type[FabricError]) -> Responses:
    """The error answers of a route, for its `responses=`."""
    return {
        kind.status: {
            "model": ErrorBody,
            "description": (kind.__doc__ or "").partition("\n")[0],
            # Errors are JSON also where the answer itself is something else, such as a stream.
            "content": {"application/json": {}},
        }
        for kind in kinds
    }


def install(app: FastAPI) -> None:
    """Registers the handlers."""
    app.add_exception_handler(FabricError, _fabric_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(RecursionError, _too_deep)
    for away in (ConnectionError, PoolTimeout):
        app.add_exception_handler(away, _database_away)


def answer(error: FabricError, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The response for an error."""
    return JSONResponse(jsonable_encoder(error.body()), error.status, headers)


async def _fabric_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, FabricError)  # noqa: S101 - the handler is registered for it
    if error.status >= 500:
        log.error("request_failed", path=request.url.path, error=error.code, message=error.message)
    if error.audited:
        await _note(request, error)
    return answer(error, _headers(error))


async def _note(request: Request, error: FabricError) -> None:
    """Has the audit log tell who was turned away. What fails here never changes the answer."""
    try:
        denial = Denial(
            method=request.method,
            route=request.scope["route"].path,
            code=error.code,
            address=network(request.client.host if request.client else None),
            principal=getattr(request.state, "principal", None),
        )
        wiring = request.app.state.wiring
        await denials.note(wiring.sessions, wiring.throttle, denial)
    except Exception as failure:
        log.error("denial_not_noted", path=request.url.path, exc_info=failure)


def _headers(error: FabricError) -> dict[str, str]:
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.retry_after)}
    return {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = field_problems(error.errors())
    return answer(InvalidConfig(_sentence(problems), hint="see problems", problems=problems))


async def _too_deep(request: Request, error: Exception) -> JSONResponse:
    return answer(InvalidConfig("the body is nested too deeply", hint="send a flatter one"))


def field_problems(found: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Pydantic's errors as problems. The rejected input is left out: it may be a secret."""
    return [
        Problem(
            message=str(item["msg"]).removeprefix("Value error, "),
            field=".".join(str(part) for part in item["loc"] if part not in ("body", "query"))
            or None,
        )
        for item in found
    ]


def _sentence(problems: Sequence[Problem]) -> str:
    first = problems[0]
    where = f"{first.field}: " if first.field else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}{first.message}{more}"


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 404:
        return answer(NotFound(f"there is no route {request.method} {request.url.path}"))
    if error.status_code == 400:  # what the framework says of a body that it cannot parse
        return answer(InvalidConfig(str(error.detail), hint="send JSON in UTF-8"))
    if error.status_code == 413:
        return answer(TooLarge(str(error.detail), hint="send less at once"))
    body: dict[str, Any] = {
        "error": "http_error",
        "message": str(error.detail),
        "hint": None,
        "problems": [],
    }
    return JSONResponse(body, error.status_code, error.headers)


# SQLSTATE → what the caller is told; constraint names and values stay in the log.
_INTEGRITY = {
    "23505": "another object already has this name or identity",
    "23503": "the request names an object that does not exist or is still in use",
}


# Two transactions that got into each other's way: PostgreSQL took this one back whole.
_IN_THE_WAY = frozenset({"40001", "40P01"})


async def _database_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)  # noqa: S101
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(error, IntegrityError) and state in _INTEGRITY:
        return answer(Conflict(_INTEGRITY[state], hint="reload, then try another name"))
    if state in _IN_THE_WAY:
        log.warning("transaction_in_the_way", path=request.url.path, state=state)
        return answer(
            TransientError("somebody else changed the same at that moment", hint="try again")
        )
    if error.connection_invalidated:
        return await _database_away(request, error)
    if _is_data_error(error):
        return answer(
            InvalidConfig(
                "a value cannot be stored: a number that is too large, or a NUL character",
                hint="check the numbers and texts of the request",
            )
        )
    return unexpected(request.url.path, error)


async def _database_away(request: Request, error: Exception) -> JSONResponse:
    log.error("database_away", path=request.url.path, kind=type(error).__name__)
    return answer(
        TransientError("the metadata database does not answer", hint="try again in a moment")
    )


def _is_data_error(error: DBAPIError) -> bool:
    """Class 22 of SQLSTATE, or asyncpg's own refusal to encode an argument."""
    state = getattr(error.orig, "sqlstate", None) or ""
    return state.startswith("22") or isinstance(
        getattr(error.orig, "__cause__", None), asyncpg.DataError
    )


def unexpected(path: str, error: Exception) -> JSONResponse:
    """The answer to an error that nobody foresaw; what it says goes to the log only."""
    log.error("unexpected_error", path=path, kind=type(error).__name__, exc_info=error)
    return answer(
        FabricError(
            "something went wrong inside the service",
            hint="try again; tell the operator the request id if it stays",
        )
    )
