"""Reads SQL Server. What pymssql would cut to microseconds or round, the server writes as text."""

from typing import Any

from sqlalchemy import ColumnElement, func, literal_column

from etlfabric_core.connectors.mssql import SYSTEM
from etlfabric_core.extract_load.sources.sql import SqlSource
from etlfabric_core.extract_load.sources.statements import Expression, TypeRule


def _converted(type_: str, style: int | None = None) -> Expression:
    words: list[ColumnElement[Any]] = [] if style is None else [literal_column(str(style))]
    return lambda column: func.convert(literal_column(type_), column, *words)


def _in_utc(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return _converted("varchar(40)", 121)(func.switchoffset(column, "+00:00"))


RULES = (
    TypeRule(r"tinyint|smallint", "int64", "smallint"),
    TypeRule(r"int|integer", "int64", "integer"),
    TypeRule(r"bigint", "int64", "bigint"),
    TypeRule(r"bit", "bool", "boolean"),
    TypeRule(
        r"(?:decimal|numeric)\((\d+), ?(\d+)\)",
        "string",
        r"numeric(\1,\2)",
        _converted("varchar(60)"),
    ),
    TypeRule(r"(?:small)?money", "string", "numeric(19,4)", _converted("varchar(40)", 2)),
    TypeRule(r"real|float\(24\)", "double", "real"),
    TypeRule(r"float.*|double.*", "double", "double precision"),
    TypeRule(r"date", "string", "date", _converted("varchar(10)", 23)),
    TypeRule(r"datetimeoffset.*", "string", "timestamp with time zone", _in_utc),
    TypeRule(
        r"(?:small)?datetime.*",
        "string",
        "timestamp without time zone",
        _converted("varchar(34)", 121),
    ),
    TypeRule(r"time(?:\(\d\))?", "string", "time without time zone", _converted("varchar(16)")),
    TypeRule(r"uniqueidentifier", "string", "uuid", _converted("varchar(36)")),
    TypeRule(r"(?:var)?binary.*|image|timestamp|rowversion", "string", "bytea"),
    TypeRule(r"n?(?:var)?char.*|n?text.*|sysname", "string", "text"),
    TypeRule(r".*", "string", "text", _converted("nvarchar(max)")),
)
SESSION = ("set textsize 2147483647", "set language us_english")

open_reader = SqlSource(SYSTEM, RULES, SESSION).open
