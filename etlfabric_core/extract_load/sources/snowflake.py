"""Reads Snowflake. Numbers with decimals and times are written as text by the server, exactly.

Integers there are numbers of 38 digits; one that needs more than 64 bits is refused, so that all
others can be cursors.
"""

from typing import Any

from sqlalchemy import ColumnElement, func, literal

from etlfabric_core.connectors.snowflake import SYSTEM
from etlfabric_core.extract_load.sources.sql import SqlSource
from etlfabric_core.extract_load.sources.statements import Expression, TypeRule

Element = ColumnElement[Any]


def _written(form: str) -> Expression:
    return lambda column: func.to_varchar(column, form)


MOMENT = "YYYY-MM-DD HH24:MI:SS.FF9"


def _in_utc(column: Element) -> Element:
    moment = func.to_varchar(func.convert_timezone("UTC", column), MOMENT)
    return func.concat(moment, literal("+00"))


def _hex(column: Element) -> Element:
    return func.concat(literal("\\x"), func.lower(func.hex_encode(column)))


RULES = (
    TypeRule(r"(?:decimal|numeric|number)\((\d+), ?0\)", "int64", r"numeric(\1,0)"),
    TypeRule(r"bigint|integer|smallint|tinyint", "int64", "numeric(38,0)"),
    TypeRule(
        r"(?:decimal|numeric|number)\((\d+), ?(\d+)\)", "string", r"numeric(\1,\2)", func.to_varchar
    ),
    TypeRule(r"decfloat.*", "string", "numeric", func.to_varchar),
    TypeRule(r"float.*|double.*|real", "double", "double precision"),
    TypeRule(r"boolean", "bool", "boolean"),
    TypeRule(r"date", "string", "date", _written("YYYY-MM-DD")),
    TypeRule(r"timestamp_(?:tz|ltz).*", "string", "timestamp with time zone", _in_utc),
    TypeRule(
        r"(?:timestamp|datetime).*", "string", "timestamp without time zone", _written(MOMENT)
    ),
    TypeRule(r"time.*", "string", "time without time zone", _written("HH24:MI:SS.FF9")),
    TypeRule(r"(?:var)?binary.*", "string", "bytea", _hex),
    TypeRule(r"(?:variant|object|array|map|vector).*", "string", "json", func.to_json),
    TypeRule(r"(?:var)?char.*|string.*|text", "string", "text"),
    TypeRule(r".*", "string", "text", func.to_varchar),
)

open_reader = SqlSource(SYSTEM, RULES).open
