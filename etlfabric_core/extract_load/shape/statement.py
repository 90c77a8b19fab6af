"""The SQL that computes a batch: functions, then types, then calculated columns, then defaults.

In the batch the columns of the source are named c0, c1, …; each stage adds columns to those
before it: f (after the functions), t (typed), k (calculated), r (calculated and typed).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etlfabric_core.extract_load.shape.casts import (
    DECIMAL_SQL,
    NOUNS,
    Kind,
    cast,
    for_expression,
    kind_of,
    required,
    text_of,
)
from etlfabric_core.extract_load.shape.engine import select
from etlfabric_core.extract_load.shape.outputs import Output, kind_after, type_of
from etlfabric_core.extract_load.source_table import SourceColumn
from etlfabric_core.graph.columns import ColumnConfig, ColumnType
from etlfabric_core.graph.functions import COLUMN_FUNCTIONS, Takes

VALUE = "TRY(struct_pack(v := {}))"  # NULL when computing fails, else a struct, of NULL maybe


@dataclass(frozen=True)
class Rule:
    """Why a row is refused: `condition` is the SQL that finds it."""

    column: str
    reason: str
    condition: str
    by_contract: bool = False


@dataclass(frozen=True)
class Value:
    """A value of a stage: its SQL and its kind."""

    sql: str
    kind: Kind


def typed_stage(
    inputs: Sequence[SourceColumn], configs: Mapping[str, tuple[ColumnConfig, ColumnType | None]]
) -> tuple[str, dict[str, Value], list[Rule]]:
    """SQL with the typed value of every input, and the values by the name of the source column."""
    first, second = ["*"], ["*"]
    values: dict[str, Value] = {}
    rules: list[Rule] = []
    for place, column in enumerate(inputs):
        config, to = configs[column.name]
        value = Value(f"c{place}", kind_of(column))
        if config.functions:
            called = _called(value, config)
            first.append(f"{VALUE.format(called)} AS f{place}")
            rules.append(Rule(column.name, "a function cannot be applied", f"f{place} IS NULL"))
            value = Value(f"f{place}.v", kind_after(column, config))
        if to is not None and to.value != value.kind.value:
            second.append(f"{cast(value.sql, value.kind, to)} AS t{place}")
            condition = f"{value.sql} IS NOT NULL AND t{place} IS NULL"
            rules.append(Rule(column.name, f"not {NOUNS[to]}", condition))
            value = Value(f"t{place}", Kind(to))
        values[column.name] = value
    stage = select(first, "batch")
    return select(second, f"({stage})"), values, rules


def _called(value: Value, config: ColumnConfig) -> str:
    for call in config.functions:
        function = COLUMN_FUNCTIONS[call.name]
        value = _argument(value, function.takes)
        sql = function.render(value.sql, [literal(one) for one in call.arguments])
        value = Value(sql, Kind(function.gives) if function.gives else value.kind)
    return value.sql


def _argument(value: Value, takes: Takes) -> Value:
    if takes is Takes.TEXT:
        return Value(text_of(value.sql, value.kind), Kind.TEXT)
    if value.kind not in (Kind.TEXT, Kind.NUMBER):
        return value
    if takes is Takes.NUMBER:
        return Value(for_expression(value.sql, Kind.NUMBER), Kind.DECIMAL)
    return Value(required(value.sql, value.kind, ColumnType.TIMESTAMP), Kind.TIMESTAMP)


def calculated_stage(
    before: str, outputs: Sequence[Output], kinds: Sequence[Kind], expressions: Sequence[str]
) -> tuple[str, list[Value], list[Rule]]:
    """SQL with the calculated columns, and their values."""
    third = [f"{VALUE.format(sql)} AS k{place}" for place, sql in enumerate(expressions)]
    fourth, values, rules = [], [], []
    for place, (output, kind) in enumerate(zip(outputs, kinds, strict=True)):
        to = type_of(output)
        assert to is not None  # noqa: S101 (a calculated column has a type)
        fourth.append(f"{cast(f'k{place}.v', kind, to)} AS r{place}")
        failed = f"k{place} IS NULL"
        rules.append(Rule(output.name, "cannot be calculated", failed))
        unfit = f"k{place}.v IS NOT NULL AND r{place} IS NULL"
        rules.append(Rule(output.name, f"calculated, but not {NOUNS[to]}", unfit))
        values.append(Value(f"r{place}", Kind(to)))
    if not outputs:
        return before, [], []
    stage = select(["*", *third], f"({before})")
    return select(["*", *fourth], f"({stage})"), values, rules


def with_default(value: Value, config: ColumnConfig) -> str:
    """SQL for the value, or the default where it is missing."""
    if config.default is None:
        return value.sql
    return f"coalesce({value.sql}, {default_sql(config, value.kind)})"


def default_sql(config: ColumnConfig, kind: Kind) -> str:
    """SQL for the default as a value of that kind; NULL where it cannot be one."""
    text = literal(str(config.default).lower() if kind is Kind.BOOLEAN else str(config.default))
    if kind is Kind.DOUBLE:
        return f"TRY_CAST({text} AS DOUBLE)"
    if kind is Kind.DECIMAL:
        return f"TRY_CAST({text} AS {DECIMAL_SQL})"
    return cast(text, Kind.TEXT, ColumnType(kind))


def refusal(rules: Sequence[Rule]) -> str:
    """SQL for the number of the first rule that refuses a row; NULL: none does."""
    if not rules:
        return "CAST(NULL AS INTEGER)"
    whens = " ".join(f"WHEN {rule.condition} THEN {place}" for place, rule in enumerate(rules))
    return f"CASE {whens} END"


def literal(value: object) -> str:
    """A plain value as SQL."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"
