"""Reads Redshift. Numbers and times are written as text by the server, exactly."""

from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, func, literal

from etlfabric_core.connectors.redshift import SYSTEM
from etlfabric_core.extract_load.sources.sql import SqlSource
from etlfabric_core.extract_load.sources.statements import TypeRule

Element = ColumnElement[Any]


def _text(column: Element) -> Element:
    return sqlalchemy.cast(column, sqlalchemy.VARCHAR(65535))


def _hex(column: Element) -> Element:
    return literal("\\x").op("||")(func.to_hex(column))


RULES = (
    TypeRule(r"smallint", "int64", "smallint"),
    TypeRule(r"integer", "int64", "integer"),
    TypeRule(r"bigint", "int64", "bigint"),
    TypeRule(r"boolean", "bool", "boolean"),
    TypeRule(r"(?:decimal|numeric)\((\d+), ?(\d+)\)", "string", r"numeric(\1,\2)", _text),
    TypeRule(r"real|float\(24\)", "double", "real"),
    TypeRule(r"double.*|float.*", "double", "double precision"),
    TypeRule(r"date", "string", "date", _text),
    TypeRule(r"timestamp with time zone|timestamptz", "string", "timestamp with time zone", _text),
    TypeRule(r"timestamp.*", "string", "timestamp without time zone", _text),
    TypeRule(r"time with time zone|timetz", "string", "time with time zone", _text),
    TypeRule(r"time.*", "string", "time without time zone", _text),
    TypeRule(r"varbyte.*", "string", "bytea", _hex),
    TypeRule(r"super", "string", "json", func.json_serialize),
    TypeRule(r"(?:var)?char.*|text", "string", "text"),
    TypeRule(r".*", "string", "text", _text),
)
SESSION = ("set timezone to 'UTC'", "set datestyle to 'ISO'", "set extra_float_digits to 2")

open_reader = SqlSource(SYSTEM, RULES, SESSION).open
