"""Checks one transformation before it is saved: Jinja, SQL syntax, and unknown columns."""

from collections.abc import Mapping
from dataclasses import dataclass

from etlfabric_core import sandbox
from etlfabric_core.errors import InvalidConfig, Problem, TransientError
from etlfabric_core.sandbox import scratch
from etlfabric_core.transform import invocation
from etlfabric_core.transform import login as login_of
from etlfabric_core.transform.faults import is_transient
from etlfabric_core.transform.lines import problem_of, source_line
from etlfabric_core.transform.plan import WarehouseLogin

_WALL_SECONDS = 30.0
_UNDEFINED_TABLE = "42P01"


@dataclass(frozen=True)
class CheckedModel:
    """The SQL that dbt would run (empty when it could not be compiled) and what is wrong."""

    compiled_sql: str
    problems: tuple[Problem, ...]


def check_model(files: Mapping[str, str], slug: str, login: WarehouseLogin | None) -> CheckedModel:
    """Compile one node of a rendered project in the sandbox and check its SQL.

    With a login the database also analyses the query (nothing is executed); relations of the
    project that are not built yet are no problem.

    Raises:
        InvalidConfig: the project has no node of that name.
        TerminalError: compiling went over a limit.
        TransientError: the warehouse does not answer.
    """
    raw = _user_sql(files, slug)
    with scratch.folder() as work_dir:
        policy = login_of.policy(work_dir, login, wall_seconds=_WALL_SECONDS)
        told = login_of.inside(login) if login else None
        try:
            answer = sandbox.call(invocation.compile_node, dict(files), slug, told, policy=policy)
        except InvalidConfig as error:
            if is_transient(error.message):
                raise TransientError("the warehouse does not answer") from error
            return CheckedModel("", (problem_of(error.message, files),))
    compiled = answer["compiled"]
    problem = _syntax_problem(compiled, raw, slug)
    if problem is None and login is not None:
        problem = _database_problem(compiled, raw, slug, login, set(answer["relations"]))
    return CheckedModel(compiled, (problem,) if problem else ())


def _user_sql(files: Mapping[str, str], slug: str) -> str:
    for folder in ("models", "snapshots"):
        if (name := f"{folder}/{slug}.sql") in files:
            return files[name]
    raise InvalidConfig(f"the project has no transformation '{slug}'")


def _syntax_problem(compiled: str, raw: str, slug: str) -> Problem | None:
    import sqlglot
    from sqlglot.errors import ParseError, TokenError

    try:
        statements = [one for one in sqlglot.parse(compiled, dialect="postgres") if one is not None]
    except ParseError as error:
        first = error.errors[0]
        message = f"{first['description']} near '{first['highlight']}'"
        return Problem(message, node=slug, line=source_line(raw, compiled, first["line"]))
    except TokenError as error:
        return Problem(str(error).splitlines()[0], node=slug)
    if len(statements) != 1:
        return Problem(f"write one query; here are {len(statements)}", node=slug)
    return None


def _database_problem(
    compiled: str, raw: str, slug: str, login: WarehouseLogin, relations: set[str]
) -> Problem | None:
    """What PostgreSQL's own analysis finds. The query is prepared, never run."""
    import psycopg
    from psycopg.pq import DiagnosticField, ExecStatus

    try:
        connection = psycopg.connect(**login_of.keywords(login))
    except psycopg.OperationalError as error:
        raise TransientError("the warehouse does not answer") from error
    with connection:
        result = connection.pgconn.prepare(b"", compiled.encode())
        if result.status != ExecStatus.FATAL_ERROR:
            return None

        def said(field: DiagnosticField) -> str:
            return (result.error_field(field) or b"").decode()

        message = said(DiagnosticField.MESSAGE_PRIMARY)
        position = int(said(DiagnosticField.STATEMENT_POSITION) or 1)
        if said(DiagnosticField.SQLSTATE) == _UNDEFINED_TABLE and _is_of(message, relations):
            return None
        hint = said(DiagnosticField.MESSAGE_HINT)
    line = compiled[: position - 1].count("\n") + 1
    text = f"{message}. {hint}" if hint else message
    return Problem(text, node=slug, line=source_line(raw, compiled, line))


def _is_of(message: str, relations: set[str]) -> bool:
    """Whether the missing relation (`relation "a.b" does not exist`) is one of the project's."""
    names = {".".join(relation.replace('"', "").split(".")[-2:]) for relation in relations}
    return any(f'"{name}"' in message for name in names)
