"""Reads BigQuery. Numbers with decimals and times are written as text by the server, exactly."""

from datetime import datetime
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, func

from etlfabric_core.connectors.bigquery import SYSTEM
from etlfabric_core.extract_load.sources.sql import SqlSource
from etlfabric_core.extract_load.sources.statements import TypeRule

Element = ColumnElement[Any]


def _text(column: Element) -> Element:
    return sqlalchemy.cast(column, sqlalchemy.String)


def _bound(value: Any) -> Element:
    """BigQuery compares a TIMESTAMP with nothing but a time that has a zone."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return sqlalchemy.literal(value, sqlalchemy.TIMESTAMP(timezone=True))
    return sqlalchemy.literal(value)


RULES = (
    TypeRule(r"int64|integer|bigint", "int64", "bigint"),
    TypeRule(r"bool(?:ean)?", "bool", "boolean"),
    TypeRule(r"(?:big)?numeric.*", "string", "numeric", _text),
    TypeRule(r"float.*", "double", "double precision"),
    TypeRule(r"date", "string", "date", _text),
    TypeRule(r"datetime", "string", "timestamp without time zone", _text),
    TypeRule(r"timestamp", "string", "timestamp with time zone", _text),
    TypeRule(r"time", "string", "time without time zone", _text),
    TypeRule(r"bytes.*", "string", "bytea"),
    TypeRule(r"json|array.*|struct.*|record.*", "string", "json", func.to_json_string),
    TypeRule(r"string.*", "string", "text"),
    TypeRule(r".*", "string", "text", func.to_json_string),
)

open_reader = SqlSource(SYSTEM, RULES, bind=_bound).open
