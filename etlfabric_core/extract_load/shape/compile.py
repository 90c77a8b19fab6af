"""A resource's configuration and its source table, compiled into one step over batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.contract import Terms
from etlfabric_core.extract_load.shape import statement
from etlfabric_core.extract_load.shape.casts import (
    NOUNS,
    Kind,
    cast,
    for_expression,
    in_expression,
    kind_of_sql,
)
from etlfabric_core.extract_load.shape.engine import PLACE, Engine, select
from etlfabric_core.extract_load.shape.outputs import Output, outputs_of, readable, type_of
from etlfabric_core.extract_load.shape.rejected import Quarantine, ReadAs
from etlfabric_core.extract_load.shape.rows import LOST, REFUSED, Shape, named
from etlfabric_core.extract_load.shape.statement import Rule, Value
from etlfabric_core.extract_load.source_table import SourceColumn, SourceTable, arrow_schema
from etlfabric_core.graph.columns import KEYED_MASKS, ColumnConfig, ColumnType
from etlfabric_core.graph.expressions import Expression, ExpressionError, parse
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

NO_TERMS = Terms()


def compile_shape(
    resource: ResourceConfig,
    source: SourceTable,
    *,
    key: bytes = b"",
    quarantine: Quarantine | None = None,
    terms: Terms = NO_TERMS,
) -> Shape:
    """The shape of a resource; `terms` is what its contract asks.

    Raises:
        TerminalError: a column is missing, an expression does not fit the columns, or a default
            is not of its column's type.
    """
    outputs = tuple(
        output.fitted(terms.fitted[output.name]) if output.name in terms.fitted else output
        for output in outputs_of(resource, source)
        if output.name not in terms.dropped
    )
    names = {output.name for output in outputs}
    if missing := sorted(set(resource.primary_key) - names):
        raise TerminalError(
            f"resource '{resource.name}', primary_key: no column {', '.join(missing)}",
            hint=f"the columns are: {', '.join(output.name for output in outputs)}",
        )
    if any(output.mask in KEYED_MASKS for output in outputs) and not key:
        raise TerminalError(f"resource '{resource.name}': there is no key to mask with")
    raw, redacted = raw_columns(resource, source), _seen_masked_only(resource, source)
    made = Shape(
        source,
        outputs,
        required=resource.primary_key if resource.is_keyed else (),
        forbidden=tuple(sorted(terms.forbidden)),
        raw=raw,
        redacted=redacted,
        read_as=ReadAs(
            filters=tuple(one.model_dump(mode="json") for one in resource.filters),
            left_out=tuple(one.name for one in source.columns if one.name not in raw),
            masked={**_masks(outputs), **dict.fromkeys(redacted)},
        ),
        key=key,
        fails=resource.on_bad_row == "fail",
        quarantine=quarantine,
    )
    if any(output.is_computed for output in outputs):
        _Compiler(resource, source, made).compile()
    return made


def read_columns(resource: ResourceConfig, source: SourceTable) -> frozenset[str]:
    """Columns of the source that are calculated with."""
    by_name = readable(resource, source)
    read = {name for one in resource.calculated.values() for name in parse(one.expression).columns}
    return frozenset(by_name[name].name for name in read & by_name.keys())


def raw_columns(resource: ResourceConfig, source: SourceTable) -> tuple[str, ...]:
    """Columns that a rejected row is kept with: those that are loaded, or calculated with."""
    kept = read_columns(resource, source)
    kept |= {output.source.name for output in outputs_of(resource, source) if output.source}
    return tuple(column.name for column in source.columns if column.name in kept)


def _seen_masked_only(resource: ResourceConfig, source: SourceTable) -> frozenset[str]:
    """Columns that are not loaded, but only read for calculated ones that are masked."""
    by_name = readable(resource, source)
    masked = [one.expression for one in resource.calculated.values() if one.mask]
    read = {name for expression in masked for name in parse(expression).columns}
    loaded = {output.source.name for output in outputs_of(resource, source) if output.source}
    return frozenset({by_name[name].name for name in read & by_name.keys()} - loaded)


def _masks(outputs: Sequence[Output]) -> dict[str, Mapping[str, Any]]:
    """Columns of the source that are loaded masked, and what is said about them."""
    return {one.source.name: one.config.in_full() for one in outputs if one.source and one.mask}


@dataclass
class _Compiler:
    resource: ResourceConfig
    source: SourceTable
    shape: Shape

    def compile(self) -> None:
        """Gives the shape its engine, its query and its rules."""
        engine = Engine.open()
        calculated = [output for output in self.shape.outputs if output.calculated]
        expressions = [self._expression(output) for output in calculated]
        inputs = self._inputs(expressions)
        before, values, rules = statement.typed_stage(inputs, self._configs(inputs))
        empty = named(arrow_schema(self.source.columns).empty_table(), inputs)
        sql = [
            self._sql(one, output, values)
            for one, output in zip(expressions, calculated, strict=True)
        ]
        kinds = [
            self._kind(engine, empty, before, one, output)
            for one, output in zip(sql, calculated, strict=True)
        ]
        query, results, more = statement.calculated_stage(before, calculated, kinds, sql)
        by_name = {output.name: value for output, value in zip(calculated, results, strict=True)}
        rules += more
        self.shape.engine, self.shape.inputs = engine, inputs
        self.shape.query = self._last(query, values | by_name, rules)
        self.shape.rules = tuple(rules)
        self._require_defaults(engine, empty, values)
        self._checked(engine, empty, self.shape.query)

    def _expression(self, output: Output) -> Expression:
        assert output.calculated is not None  # noqa: S101 (called for calculated columns only)
        return parse(output.calculated.expression)

    def _inputs(self, expressions: Sequence[Expression]) -> tuple[SourceColumn, ...]:
        by_name = readable(self.resource, self.source)
        read = {name for one in expressions for name in one.columns}
        wanted = {by_name[name].name for name in read & by_name.keys()}
        wanted |= {
            output.source.name
            for output in self.shape.outputs
            if output.source and output.is_computed
        }
        columns = tuple(column for column in self.source.columns if column.name in wanted)
        return columns or self.source.columns[:1]  # an expression of literals still needs rows

    def _configs(
        self, inputs: Sequence[SourceColumn]
    ) -> Mapping[str, tuple[ColumnConfig, ColumnType | None]]:
        types = {one.source.name: type_of(one) for one in self.shape.outputs if one.source}
        configs = self.resource.columns
        return {
            column.name: (
                configs.get(column.name, ColumnConfig()),
                types[column.name] if column.name in types else _hidden(column, configs),
            )
            for column in inputs
        }

    def _sql(self, expression: Expression, output: Output, values: Mapping[str, Value]) -> str:
        by_name = readable(self.resource, self.source)
        columns = {
            name: for_expression(values[column.name].sql, values[column.name].kind)
            for name, column in by_name.items()
            if column.name in values
        }
        known = {name: columns.get(name, "NULL") for name in by_name}
        try:
            return expression.sql(known, lambda sql, to: in_expression(sql, ColumnType(to)))
        except ExpressionError as error:
            raise self._wrong(output, str(error)) from None

    def _kind(
        self, engine: Engine, empty: "pyarrow.Table", before: str, sql: str, output: Output
    ) -> Kind:
        import duckdb

        try:
            name = engine.types(empty, select([f"{sql} AS v"], f"({before})"))[0]
        except duckdb.Error as error:
            words = str(error).splitlines()[0]
            raise self._wrong(output, f"it does not fit its columns: {words}") from None
        kind = kind_of_sql(name)
        if kind is None:
            raise self._wrong(output, f"a result of type {name} cannot be loaded")
        return kind

    def _last(self, query: str, values: Mapping[str, Value], rules: list[Rule]) -> str:
        columns = [PLACE]
        for place, output in enumerate(self.shape.outputs):
            if not output.is_computed:
                continue
            value = values[output.source.name if output.source else output.name]
            sql = statement.with_default(value, output.config)
            if output.fit:
                fitted = cast(sql, value.kind, output.fit.type)
                if output.fit.rejects:
                    reason = f"the contract asks for {NOUNS[output.fit.type]}"
                    condition = f"({sql}) IS NOT NULL AND ({fitted}) IS NULL"
                    rules.append(Rule(output.name, reason, condition, by_contract=True))
                sql = fitted
            columns.append(f"{sql} AS o{place}")
            if output.mask and output.source:
                columns.append(f"{_is_unfit(output, rules)} AS {LOST.format(place=place)}")
        columns.append(f"{statement.refusal(rules)} AS {REFUSED}")
        return select(columns, f"({query})")

    def _require_defaults(
        self, engine: Engine, empty: "pyarrow.Table", values: Mapping[str, Value]
    ) -> None:
        for output in self.shape.outputs:
            if output.source is None or output.config.default is None:
                continue
            kind = values[output.source.name].kind
            sql = statement.default_sql(output.config, kind)
            if engine.connection.sql(f"SELECT {sql} IS NULL").fetchall() == [(True,)]:
                noun = NOUNS.get(ColumnType(kind)) if kind.value in set(ColumnType) else kind
                raise TerminalError(
                    f"resource '{self.resource.name}', columns.{output.source.name}.default: "
                    f"not {noun}",
                    hint="give a default of the column's type",
                )

    def _checked(self, engine: Engine, empty: "pyarrow.Table", query: str) -> None:
        import duckdb

        try:
            engine.types(empty, query)
        except duckdb.Error as error:
            words = str(error).splitlines()[0]
            raise TerminalError(
                f"resource '{self.resource.name}', columns: a function does not fit its column: "
                f"{words}",
                hint="give the column a type that the function works on",
            ) from None

    def _wrong(self, output: Output, words: str) -> TerminalError:
        return TerminalError(
            f"resource '{self.resource.name}', calculated.{output.name}: {words}",
            hint="name columns as they are called in the table; cast what is of another type",
        )


def _is_unfit(output: Output, rules: Sequence[Rule]) -> str:
    """SQL for whether the value of a column is a reason to refuse its row."""
    names = {output.name, output.source.name if output.source else output.name}
    conditions = [f"({rule.condition})" for rule in rules if rule.column in names]
    return f"coalesce({' OR '.join(conditions)}, FALSE)" if conditions else "FALSE"


def _hidden(column: SourceColumn, configs: Mapping[str, ColumnConfig]) -> ColumnType | None:
    """The type of a column that is only calculated with."""
    config = configs.get(column.name)
    return config.type if config else None
