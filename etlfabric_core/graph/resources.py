"""What a user may say about one table of a pipeline: where it is read, and how it is loaded."""

from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from etlfabric_core.graph.columns import (
    CalculatedColumn,
    ColumnConfig,
    ColumnType,
    Config,
    Identifier,
    Plain,
)


class WriteDisposition(StrEnum):
    """How new rows meet the rows that are already there."""

    APPEND = "append"
    REPLACE = "replace"
    MERGE = "merge"
    INSERT = "insert"


class MergeStrategy(StrEnum):
    """How a merge treats a row whose key is there already."""

    DELETE_INSERT = "delete-insert"
    UPSERT = "upsert"
    INSERT_ONLY = "insert-only"
    SCD2 = "scd2"


class Contract(StrEnum):
    """What happens when a load would change the tables at the destination."""

    EVOLVE = "evolve"
    FREEZE = "freeze"
    DISCARD_ROW = "discard_row"
    DISCARD_VALUE = "discard_value"


class SchemaContract(Config):
    """What may change at the destination: new tables, new columns, other types.

    evolve: it changes. freeze: the load fails before it writes. discard_row: rows that need the
    change are put aside. discard_value: their values are left out, of a new table all rows.
    """

    tables: Contract = Contract.EVOLVE
    columns: Contract = Contract.EVOLVE
    data_type: Contract = Contract.EVOLVE


class Boundary(StrEnum):
    """Whether rows at the highest value that was loaded are read again."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"


class Cursor(Config):
    """The column whose highest loaded value says where the next load begins.

    inclusive: rows that share that value are read again, so that one that came late is not lost;
    an append knows those that it has. exclusive: only rows above it are read, and above an
    initial value. With a lag the load begins that much earlier, for rows that come late.
    """

    column: Identifier
    initial_value: str | int | float | None = None
    lag: float = Field(
        0, ge=0, le=10**12, description="Seconds, for a cursor of numbers their own unit."
    )
    boundary: Boundary = Boundary.INCLUSIVE

    @model_validator(mode="after")
    def _a_lag_reads_the_boundary(self) -> Self:
        if self.lag and self.boundary is Boundary.EXCLUSIVE:
            raise ValueError(
                f"cursor '{self.column}': a lag reads what lies before the boundary again, "
                "so leave the boundary inclusive"
            )
        return self


class FilterOp(StrEnum):
    """How a row filter compares."""

    EQ = "eq"
    NE = "ne"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    IN = "in"
    NOT_IN = "not_in"


DELETED_AT = "_deleted_at"  # of rows that the source has no longer
LISTS = (FilterOp.IN, FilterOp.NOT_IN)


class RowFilter(Config):
    """A condition that rows of the source must meet; several must all hold. NULL meets none."""

    column: Identifier
    op: FilterOp
    value: Plain | tuple[Plain, ...] = Field(union_mode="left_to_right")

    @model_validator(mode="after")
    def _value_fits_the_op(self) -> Self:
        if isinstance(self.value, tuple) != (self.op in LISTS):
            wanted = "a list of values" if self.op in LISTS else "one value"
            raise ValueError(f"filter on '{self.column}': {self.op} takes {wanted}")
        return self


class ResourceConfig(Config):
    """One table, file or query of the source, and the table that it becomes."""

    name: Identifier = Field(description="Table in the dataset.")
    source: str | None = Field(None, description="Table or file at the source; default: the name.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="What only this connector knows, such as a paginator."
    )
    write_disposition: WriteDisposition = WriteDisposition.APPEND
    primary_key: tuple[Identifier, ...] = ()
    cursor: Cursor | None = None
    filters: tuple[RowFilter, ...] = ()
    columns: dict[str, ColumnConfig] = Field(
        default_factory=dict, description="By the names of the source."
    )
    other_columns: Literal["include", "exclude"] = "include"
    calculated: dict[Identifier, CalculatedColumn] = Field(default_factory=dict)
    merge_strategy: MergeStrategy = MergeStrategy.DELETE_INSERT
    contract: SchemaContract = SchemaContract()
    on_bad_row: Literal["fail", "quarantine"] = "fail"
    max_rejected: int = Field(10_000, ge=1, description="More rejected rows fail the load.")
    minimum_rows: int = Field(0, ge=0, description="Fewer rows from the source fail the load.")
    verify_count: bool = Field(
        False, description="Other numbers of rows at the source and in the table fail the run."
    )
    deletes: Literal["none", "soft", "hard"] = Field(
        "none",
        description="Rows whose key the source has no longer: soft sets `_deleted_at`, hard "
        "removes them.",
    )
    deletes_every: int = Field(
        0, ge=0, le=24 * 366, description="Hours between two comparisons of keys; 0: every load."
    )
    max_deleted: float = Field(
        0.5, gt=0, le=1, description="A larger share of deleted rows fails the load."
    )

    @property
    def has_quarantine(self) -> bool:
        """Whether rows can be put aside."""
        by_contract = (self.contract.columns, self.contract.data_type)
        return self.on_bad_row == "quarantine" or Contract.DISCARD_ROW in by_contract

    @property
    def given_types(self) -> dict[str, ColumnType]:
        """The types that columns of the source are given."""
        return {name: column.type for name, column in self.columns.items() if column.type}

    @property
    def is_keyed(self) -> bool:
        """Whether its rows are told apart by a key."""
        return self.write_disposition in (WriteDisposition.MERGE, WriteDisposition.INSERT)

    @model_validator(mode="after")
    def _keys_are_there(self) -> Self:
        what = f"resource '{self.name}': {self.write_disposition}"
        scd2 = self.is_historized
        if self.is_keyed and not self.primary_key and not scd2:
            raise ValueError(f"{what} needs a primary_key")
        if self.write_disposition is not WriteDisposition.MERGE and (
            self.merge_strategy is not MergeStrategy.DELETE_INSERT
        ):
            raise ValueError(f"{what} has no merge_strategy")
        if scd2 and self.cursor:
            raise ValueError(f"resource '{self.name}': scd2 compares all rows, without a cursor")
        return self

    @property
    def is_historized(self) -> bool:
        """Whether former versions of rows are kept."""
        merged = self.write_disposition is WriteDisposition.MERGE
        return merged and self.merge_strategy is MergeStrategy.SCD2

    @model_validator(mode="after")
    def _the_cursor_is_loaded_as_it_is(self) -> Self:
        if self.cursor is None:
            return self
        name = self.cursor.column
        column = self.columns.get(name)
        loaded = column.include if column else self.other_columns == "include"
        if not loaded or (column and (column.mask or column.functions)):
            raise ValueError(
                f"resource '{self.name}', cursor: '{name}' is kept as the place to go on from, "
                "so it must be loaded, without functions and mask"
            )
        return self

    @model_validator(mode="after")
    def _all_rows_are_counted(self) -> Self:
        how, allowed = self.write_disposition, (WriteDisposition.REPLACE, WriteDisposition.MERGE)
        followed = self.cursor is not None and how is WriteDisposition.MERGE
        if self.verify_count and (how not in allowed or followed):
            raise ValueError(
                f"resource '{self.name}', verify_count: it needs a load that reads all rows: "
                "replace, or merge without a cursor"
            )
        return self

    @model_validator(mode="after")
    def _deleted_rows_are_known_by_their_key(self) -> Self:
        if self.deletes == "none":
            return self
        what = f"resource '{self.name}', deletes"
        if self.write_disposition is not WriteDisposition.MERGE or not self.primary_key:
            raise ValueError(f"{what}: they are found by the key of a merge")
        if self.is_historized:
            raise ValueError(f"{what}: scd2 closes the rows that are gone itself")
        for name in sorted({one.column for one in self.filters}):
            column = self.columns.get(name)
            loaded = column.include if column else self.other_columns == "include"
            if not loaded or (column and (column.mask or column.functions)):
                raise ValueError(
                    f"{what}: '{name}' is filtered by, and so must be loaded, without functions "
                    "and mask: only rows that meet the filters are compared"
                )
        return self

    @model_validator(mode="after")
    def _only_a_merge_reads_again(self) -> Self:
        how = self.write_disposition
        if self.cursor and self.cursor.lag and how is not WriteDisposition.MERGE:
            raise ValueError(
                f"resource '{self.name}', cursor.lag: rows that are read again are doubled or "
                f"refused by {how}; use merge"
            )
        return self

    @model_validator(mode="after")
    def _names_are_different(self) -> Self:
        names = [column.name or source for source, column in self.columns.items() if column.include]
        names += self.calculated
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"resource '{self.name}', columns: named twice: {', '.join(doubled)}")
        return self

    @model_validator(mode="after")
    def _no_mask_is_walked_around(self) -> Self:
        masked = {column.name or source for source, column in self.columns.items() if column.mask}
        if not masked:
            return self
        from etlfabric_core.graph.expressions import parse

        for name, calculated in self.calculated.items():
            read = parse(calculated.expression).columns & masked
            if read and calculated.mask is None:
                raise ValueError(
                    f"resource '{self.name}', calculated '{name}': {', '.join(sorted(read))} is "
                    "masked, so what is made of it needs a mask too"
                )
        return self
