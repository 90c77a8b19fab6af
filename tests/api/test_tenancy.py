"""The choke point for queries, and the audit log that nobody rewrites."""

import ast
from pathlib import Path

import asyncpg
import pytest

from etlfabric_core.models import Base, OrgOwned
from tests.api.conftest import TwoOrgs

ROOT = Path(__file__).parents[2]
OWNED = sorted(m.class_.__name__ for m in Base.registry.mappers if issubclass(m.class_, OrgOwned))


async def test_the_audit_log_cannot_be_rewritten(
    two_orgs: TwoOrgs, service_connection: asyncpg.Connection
) -> None:
    for statement in ("UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service_connection.execute(statement)


def test_queries_on_owned_tables_start_at_the_choke_point() -> None:
    found = []
    for folder in ("api", "etlfabric_core"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path != ROOT / "etlfabric_core/db/scope.py":
                found += _bare_queries(path)
    assert found == []


def test_the_lint_finds_bare_queries(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        "a = select(Node).where(x)\nb = select(Node.id)\nc = session.get(Edge, 1)\n"
        "d = org_select(Node)\ne = select(User)\nf = config.get(Edge)\n"
    )
    assert len(_bare_queries(sample)) == 3


def _bare_queries(path: Path) -> list[str]:
    return [
        f"{path.name}:{call.lineno}"
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _starts_query(call.func) and _names_owned(call)
    ]


def _starts_query(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        on_session = isinstance(function.value, ast.Name) and "session" in function.value.id
        return function.attr == "select" or (on_session and function.attr in ("get", "get_one"))
    return isinstance(function, ast.Name) and function.id == "select"


def _names_owned(call: ast.Call) -> bool:
    names = (node for argument in call.args for node in ast.walk(argument))
    return any(isinstance(node, ast.Name) and node.id in OWNED for node in names)
