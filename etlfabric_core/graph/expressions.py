"""Expressions of calculated columns: a small SQL in which only what is listed here has a meaning.

sqlglot parses; it knows no function here, so that every call is a name to look up. What is
written anew as SQL is built from the tree, node by node: no text of a user is passed on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlglot import Dialect, exp, parser
from sqlglot.errors import ParseError, TokenError

from etlfabric_core.graph.functions import COLUMN_FUNCTIONS, ROW_FUNCTIONS, UNITS

MAX_DEPTH = 100
NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+")
OPERATORS: Mapping[type[exp.Expression], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.And: "AND",
    exp.Or: "OR",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.Is: "IS",
    exp.Like: "LIKE",
}
CASTS = {
    exp.DType.TEXT: "text",
    exp.DType.INT: "integer",
    exp.DType.DECIMAL: "number",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp",
}


class ExpressionError(ValueError):
    """What is wrong with an expression, and where: line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line, self.column = line, column


class _NoFunctions(parser.Parser):  # type: ignore[misc]
    FUNCTIONS: ClassVar[dict[str, Any]] = {}
    FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        "CAST": parser.Parser.FUNCTION_PARSERS["CAST"],
    }
    NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
    NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
        "CASE": parser.Parser.NO_PAREN_FUNCTION_PARSERS["CASE"],
    }


class _Small(Dialect):  # type: ignore[misc]
    Parser = _NoFunctions


CastSql = Callable[[str, str], str]


@dataclass(frozen=True)
class Expression:
    """A parsed expression in which every node is allowed."""

    text: str
    tree: exp.Expression

    @property
    def columns(self) -> frozenset[str]:
        """The names it reads."""
        return frozenset(column.name for column in self.tree.find_all(exp.Column))

    def sql(self, columns: Mapping[str, str], cast: CastSql) -> str:
        """The expression for DuckDB; `columns` maps names to SQL, `cast` makes (SQL, type) SQL.

        Raises:
            ExpressionError: it reads a column that is not there.
        """
        return _Writer(self.text, columns, cast).write(self.tree)


def parse(text: str) -> Expression:
    """The expression of a text.

    Raises:
        ExpressionError: it is none, or something in it is not allowed.
    """
    try:
        trees = _Small().parse(text)
        if len(trees) != 1 or trees[0] is None:
            raise ExpressionError("write one expression", 1, 1)
        expression = Expression(text, trees[0])
        expression.sql({name: "x" for name in expression.columns}, lambda value, _: value)
    except ParseError as error:
        found = error.errors[0] if error.errors else {}
        near = found.get("highlight") or "the end"
        raise ExpressionError(
            f"this is no expression, at '{near}'", found.get("line") or 1, found.get("col") or 1
        ) from None
    except TokenError:
        raise ExpressionError("a quote is opened and not closed", 1, len(text)) from None
    except RecursionError:
        raise ExpressionError("nested too deeply", 1, 1) from None
    return expression


class _Writer:
    """Writes a tree as SQL, and refuses every node that it does not know."""

    def __init__(self, text: str, columns: Mapping[str, str], cast: CastSql) -> None:
        self._text, self._columns, self._cast, self._depth = text, columns, cast, 0
        self._writers: dict[type[exp.Expression], Callable[..., str]] = {
            exp.Column: self._column,
            exp.Literal: self._literal,
            exp.Anonymous: self._call,
            exp.Cast: self._typed,
            exp.Case: self._case,
            exp.DPipe: self._joined,
            exp.In: self._in,
            exp.Null: lambda node: "NULL",
            exp.Boolean: lambda node: "TRUE" if node.this else "FALSE",
            exp.Paren: lambda node: self.write(node.this),
            exp.Neg: lambda node: f"(- {self.write(node.this)})",
            exp.Not: lambda node: f"(NOT {self.write(node.this)})",
            exp.Between: lambda node: (
                f"({self.write(node.this)} BETWEEN {self.write(node.args['low'])}"
                f" AND {self.write(node.args['high'])})"
            ),
        }

    def write(self, node: exp.Expression) -> str:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(node, "nested too deeply")
        try:
            if (operator := OPERATORS.get(type(node))) is not None:
                return f"({self.write(node.this)} {operator} {self.write(node.expression)})"
            writer = self._writers.get(type(node))
            if writer is None:
                raise self._error(node, f"{_words(node)} is not allowed")
            return writer(node)
        finally:
            self._depth -= 1

    def _column(self, node: exp.Column) -> str:
        if node.table:
            raise self._error(node, f"'{node.table}.{node.name}': name a column alone")
        if node.name not in self._columns:
            known = ", ".join(self._columns)
            raise self._error(node, f"no column '{node.name}'; there are: {known}")
        return self._columns[node.name]

    def _literal(self, node: exp.Literal) -> str:
        value = str(node.this)
        if node.is_string:
            return "'" + value.replace("'", "''") + "'"
        if not NUMBER.fullmatch(value):
            raise self._error(node, f"'{value}' is no number")
        return value

    def _call(self, node: exp.Anonymous) -> str:
        name, arguments = str(node.this).lower(), node.expressions
        if name in ROW_FUNCTIONS:
            if len(arguments) < ROW_FUNCTIONS[name]:
                raise self._error(node, f"{name} takes at least one value")
            values = [self.write(one) for one in arguments]
            if name == "concat":
                values = [self._cast(value, "text") for value in values]
            return f"{name}({', '.join(values)})"
        function = COLUMN_FUNCTIONS.get(name)
        if function is None:
            known = ", ".join((*COLUMN_FUNCTIONS, *ROW_FUNCTIONS))
            raise self._error(node, f"no function '{name}'; there are: {known}")
        count = len(arguments) - 1
        if not len(function.further) - function.optional <= count <= len(function.further):
            raise self._error(node, f"{name} takes a value, then {function.words()}")
        if name == "date_trunc":
            return self._truncated(node)
        value, *further = map(self.write, arguments)
        return function.render(value, further)

    def _truncated(self, node: exp.Anonymous) -> str:
        """In SQL the unit comes first, as a literal."""
        unit, value = node.expressions
        if not isinstance(unit, exp.Literal) or unit.this not in UNITS:
            raise self._error(node, f"date_trunc takes one of {', '.join(UNITS)}, then a value")
        return COLUMN_FUNCTIONS["date_trunc"].render(self.write(value), [self.write(unit)])

    def _typed(self, node: exp.Cast) -> str:
        to = node.args["to"]
        name = CASTS.get(to.this)
        if name is None or to.expressions or _set(node) - {"this", "to"}:
            known = ", ".join(CASTS.values())
            raise self._error(node, f"a value can be cast to {known} and no other type")
        return self._cast(self.write(node.this), name)

    def _joined(self, node: exp.DPipe) -> str:
        left, right = (self._cast(self.write(one), "text") for one in (node.this, node.expression))
        return f"({left} || {right})"

    def _case(self, node: exp.Case) -> str:
        parts = ["CASE"]
        parts += [self.write(node.this)] if node.this else []
        for one in node.args["ifs"]:
            parts.append(f"WHEN {self.write(one.this)} THEN {self.write(one.args['true'])}")
        default = node.args.get("default")
        parts += [f"ELSE {self.write(default)}"] if default else []
        return f"({' '.join(parts)} END)"

    def _in(self, node: exp.In) -> str:
        if not node.expressions or _set(node) - {"this", "expressions"}:
            raise self._error(node, "IN takes a list of values")
        return f"({self.write(node.this)} IN ({', '.join(map(self.write, node.expressions))}))"

    def _error(self, node: exp.Expression, message: str) -> ExpressionError:
        """With the place of the node, or of the first node below it that has one."""
        start = next((n.meta["start"] for n in node.walk() if "start" in n.meta), 0)
        before = self._text[:start]
        return ExpressionError(
            message, before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1
        )


def _set(node: exp.Expression) -> set[str]:
    return {name for name, value in node.args.items() if value}


def _words(node: exp.Expression) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()
