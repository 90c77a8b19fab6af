"""What a user may say about the columns of a resource: names, types, functions, masks."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    model_validator,
)

from etlfabric_core.graph.functions import COLUMN_FUNCTIONS

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=63)]
# Strict: 1 would become true otherwise.
Plain = StrictStr | StrictBool | StrictInt | StrictFloat


class Config(BaseModel):
    """Base of node configurations: frozen, and a word it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ColumnType(StrEnum):
    """Types a user can give a column."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


class Mask(StrEnum):
    """What is left of a value: nothing of it is written anywhere before.

    hash: the same text for the same value within one organization. redact: a constant.
    partial: the last four characters of a long value. encrypt: a text that administrators can
    have revealed, the same for the same value. drop: the column does not exist.
    """

    HASH = "hash"
    REDACT = "redact"
    PARTIAL = "partial"
    ENCRYPT = "encrypt"
    DROP = "drop"


KEYED_MASKS = frozenset({Mask.HASH, Mask.ENCRYPT})


class FunctionCall(Config):
    """A function on the value of a column, and its further arguments."""

    name: str
    arguments: tuple[Plain, ...] = ()

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        function = COLUMN_FUNCTIONS.get(self.name)
        if function is None:
            known = ", ".join(COLUMN_FUNCTIONS)
            raise ValueError(f"no function '{self.name}'; one of: {known}")
        if problem := function.problem_with(self.arguments):
            raise ValueError(f"function {self.name}: {problem}")
        return self


class ColumnConfig(Config):
    """What happens to one column of the source on its way."""

    include: bool = Field(True, description="False: read for calculated columns only.")
    name: Identifier | None = Field(None, description="Its name in the table.")
    type: ColumnType | None = None
    functions: tuple[FunctionCall, ...] = Field((), description="In this order.")
    default: Plain | None = Field(None, description="Takes the place of a missing value.")
    mask: Mask | None = None

    def in_full(self) -> dict[str, Any]:
        """All that decides what becomes of a value, as JSON: the same text, the same values."""
        return self.model_dump(mode="json", exclude={"name", "include"})

    @property
    def is_plain(self) -> bool:
        """Whether its values arrive as they are, whatever it is called."""
        return self.model_copy(update={"name": None}) == ColumnConfig()

    @model_validator(mode="after")
    def _is_loaded_or_not(self) -> Self:
        if self.mask is Mask.DROP and (self.name or self.default is not None):
            raise ValueError("a dropped column has neither name nor default")
        return self


class CalculatedColumn(Config):
    """A column made from others of the same row. Its expression is of a small, safe SQL."""

    expression: str = Field(min_length=1, max_length=10_000)
    type: ColumnType
    mask: Mask | None = None

    @model_validator(mode="after")
    def _is_an_expression(self) -> Self:
        # The parser takes longer to import than most configurations take to be read.
        from etlfabric_core.graph.expressions import ExpressionError, parse

        try:
            parse(self.expression)
        except ExpressionError as error:
            raise ValueError(str(error)) from None
        if self.mask is Mask.DROP:
            raise ValueError("a calculated column that is dropped is not needed")
        return self
