"""The functions that columns and expressions may use: a table from name to arguments and SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Takes(StrEnum):
    """What a function works on."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "timestamp"
    ANY = "any"


UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")


@dataclass(frozen=True)
class Function:
    """`sql` is a template: {0} is the value, {1} … are the further arguments.

    `further` are the types of these; the last `optional` ones may be left out, and then `short`
    is the template. `gives` is None where the result is of the kind of the value.
    """

    sql: str
    takes: Takes = Takes.TEXT
    further: tuple[type, ...] = ()
    optional: int = 0
    short: str = ""
    gives: str | None = "text"

    def problem_with(self, arguments: Sequence[object]) -> str | None:
        """What is wrong with arguments that are literals."""
        least = len(self.further) - self.optional
        if not least <= len(arguments) <= len(self.further):
            return f"takes {self.words()} after the column"
        for given, wanted in zip(arguments, self.further, strict=False):
            if isinstance(given, bool) or not isinstance(given, wanted):
                return f"takes {self.words()} after the column"
            if self.takes is Takes.TIME and given not in UNITS:
                return f"takes one of {', '.join(UNITS)} after the column"
        return None

    def words(self) -> str:
        """The further arguments in words."""
        names = {str: "a text", int: "an integer"}
        words = [names[one] for one in self.further]
        required = words[: len(words) - self.optional]
        maybe = [f"{word} at will" for word in words[len(required) :]]
        return ", ".join([*required, *maybe]) or "nothing"

    def render(self, value: str, further: Sequence[str]) -> str:
        """The call, as SQL."""
        template = self.short if self.short and len(further) < len(self.further) else self.sql
        return template.format(value, *further)


COLUMN_FUNCTIONS: Mapping[str, Function] = {
    "upper": Function("upper({0})"),
    "lower": Function("lower({0})"),
    "trim": Function("trim({0})"),
    "ltrim": Function("ltrim({0})"),
    "rtrim": Function("rtrim({0})"),
    "length": Function("length({0})", gives="integer"),
    "substring": Function(
        "substring({0}, {1}, {2})",
        further=(int, int),
        optional=1,
        short="substring({0}, {1})",
    ),
    "left": Function('"left"({0}, {1})', further=(int,)),
    "right": Function('"right"({0}, {1})', further=(int,)),
    "replace": Function("replace({0}, {1}, {2})", further=(str, str)),
    "split_part": Function("split_part({0}, {1}, {2})", further=(str, int)),
    "nullif": Function("nullif({0}, {1})", further=(str,)),
    "round": Function("round({0}, {1})", Takes.NUMBER, (int,), 1, "round({0})", gives=None),
    "floor": Function("floor({0})", Takes.NUMBER, gives=None),
    "ceil": Function("ceil({0})", Takes.NUMBER, gives=None),
    "abs": Function("abs({0})", Takes.NUMBER, gives=None),
    "year": Function("year({0})", Takes.TIME, gives="integer"),
    "month": Function("month({0})", Takes.TIME, gives="integer"),
    "day": Function("day({0})", Takes.TIME, gives="integer"),
    "hour": Function("hour({0})", Takes.TIME, gives="integer"),
    "date": Function("CAST({0} AS DATE)", Takes.TIME, gives="date"),
    "date_trunc": Function(
        "CAST(date_trunc({1}, {0}) AS TIMESTAMP)", Takes.TIME, (str,), gives="timestamp"
    ),
}

# Of several values of a row; in expressions only. Names and least number of arguments.
ROW_FUNCTIONS: Mapping[str, int] = {"coalesce": 1, "concat": 1, "greatest": 1, "least": 1}
