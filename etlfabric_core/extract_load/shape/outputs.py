"""The columns that leave a resource: what each is made from, and what it is called and holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.contract import Fit
from etlfabric_core.extract_load.shape.casts import SHAPED, Kind, kind_of
from etlfabric_core.extract_load.source_table import SourceColumn, SourceTable
from etlfabric_core.graph.columns import CalculatedColumn, ColumnConfig, ColumnType, Mask
from etlfabric_core.graph.functions import COLUMN_FUNCTIONS
from etlfabric_core.graph.resources import ResourceConfig

AS_IT_IS = ColumnConfig()


@dataclass(frozen=True)
class Output:
    """A column on its way out. `column` is what dlt gets, `unmasked` what it is before its mask."""

    unmasked: SourceColumn
    config: ColumnConfig = AS_IT_IS
    source: SourceColumn | None = None
    calculated: CalculatedColumn | None = None
    fit: Fit | None = None

    @property
    def name(self) -> str:
        """Its name in the table."""
        return self.unmasked.name

    @property
    def mask(self) -> Mask | None:
        """Its mask."""
        return self.calculated.mask if self.calculated else self.config.mask

    @property
    def column(self) -> SourceColumn:
        """As it leaves: what is masked is text."""
        return SHAPED[Kind.TEXT](self.name) if self.mask else self.unmasked

    @property
    def is_computed(self) -> bool:
        """Whether its values are other ones than those of the source."""
        changed = self.config.type or self.config.functions or self.config.default is not None
        return bool(self.calculated or changed or self.fit)

    def fitted(self, fit: Fit) -> "Output":
        """As the type that the table has already."""
        return replace(self, unmasked=SHAPED[fit.type](self.name), fit=fit)


def outputs_of(resource: ResourceConfig, source: SourceTable) -> tuple[Output, ...]:
    """The outputs of a resource, those of the source first.

    Raises:
        TerminalError: a configured column is missing at the source, or nothing is left.
    """
    names = [column.name for column in source.columns]
    if unknown := sorted(set(resource.columns) - set(names)):
        raise TerminalError(
            f"resource '{resource.name}', columns: '{source.name}' has no column "
            f"{', '.join(unknown)}",
            hint=f"its columns are: {', '.join(names)}",
        )
    loaded = [
        _loaded(column, resource.columns.get(column.name, AS_IT_IS))
        for column in source.columns
        if _is_loaded(column, resource)
    ]
    calculated = [
        Output(SHAPED[one.type](name), calculated=one) for name, one in resource.calculated.items()
    ]
    outputs = (*loaded, *calculated)
    if not outputs:
        raise TerminalError(f"resource '{resource.name}', columns: none is left to load")
    _require_different_names(resource, [output.name for output in outputs])
    return outputs


def readable(resource: ResourceConfig, source: SourceTable) -> Mapping[str, SourceColumn]:
    """What expressions may read: by its new name, every column that is not dropped."""
    configs = {
        column.name: resource.columns.get(column.name, AS_IT_IS) for column in source.columns
    }
    return {
        configs[column.name].name or column.name: column
        for column in source.columns
        if configs[column.name].mask is not Mask.DROP
    }


def _is_loaded(column: SourceColumn, resource: ResourceConfig) -> bool:
    config = resource.columns.get(column.name)
    if config is None:
        return resource.other_columns == "include"
    return config.include and config.mask is not Mask.DROP


def _loaded(column: SourceColumn, config: ColumnConfig) -> Output:
    name = config.name or column.name
    if config.type:
        return Output(SHAPED[config.type](name), config, column)
    if config.functions:
        return Output(_of_kind(kind_after(column, config), name), config, column)
    return Output(replace(column, name=name), config, column)


def _of_kind(kind: Kind, name: str) -> SourceColumn:
    if kind is Kind.DOUBLE:
        return SourceColumn(name, "double", "double precision")
    return SHAPED[Kind.NUMBER if kind is Kind.DECIMAL else kind](name)


def kind_after(column: SourceColumn, config: ColumnConfig) -> Kind:
    """The kind of a value behind the functions of its column."""
    kind = kind_of(column)
    for call in config.functions:
        function = COLUMN_FUNCTIONS[call.name]
        kind = Kind(function.gives) if function.gives else _as_number(kind)
    return kind


def _as_number(kind: Kind) -> Kind:
    return Kind.DECIMAL if kind in (Kind.TEXT, Kind.NUMBER) else kind


def type_of(output: Output) -> ColumnType | None:
    """The type that its values are cast to; None: they stay what they are."""
    if output.calculated:
        return output.calculated.type
    if output.config.type:
        return output.config.type
    if output.source and output.config.functions:
        kind = kind_after(output.source, output.config)
        kind = Kind.NUMBER if kind is Kind.DECIMAL else kind
        return None if kind is Kind.DOUBLE else ColumnType(kind)
    return None


def _require_different_names(resource: ResourceConfig, names: list[str]) -> None:
    """Names that are different here may be the same at the destination."""
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    normal = [str(NamingConvention(63).normalize_identifier(name)) for name in names]
    for name, written in zip(normal, names, strict=True):
        if normal.count(name) > 1:
            raise TerminalError(
                f"resource '{resource.name}', columns: several columns are named '{name}', "
                f"one of them is '{written}' at first",
                hint="give one of them another name",
            )
