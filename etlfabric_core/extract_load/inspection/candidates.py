"""The types that a column of texts may be proposed, and the SQL that counts what speaks for them.

Values are cast by the same rules as in a load, so that what fits here fits there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from etlfabric_core.extract_load.shape.casts import Kind, cast
from etlfabric_core.extract_load.shape.engine import select
from etlfabric_core.extract_load.shape.statement import literal
from etlfabric_core.graph.columns import ColumnType, FunctionCall

NULL_WORDS = ("NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "NaN", "nan", "\\N", "-", "?")
# IN would be a slow join.
IS_WORD = (
    f"CASE v {' '.join(f'WHEN {literal(word)} THEN TRUE' for word in NULL_WORDS)} ELSE FALSE END"
)
COMMA_NUMBER = r"\s*[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?\s*"
# 1,234 may be a thousand too; without a number that cannot, a comma is not taken for a point.
CLEAR_COMMA = r"\s*[+-]?(\d{1,3}(\.\d{3})+|\d+),(\d{1,2}|\d{4,})\s*"
LEADING_ZERO = r"\s*[+-]?0\d.*"
WITH_POINTS = "replace(replace(v, '.', ''), ',', '.')"


@dataclass(frozen=True)
class Candidate:
    """A type, the SQL that makes a value of it from `v`, and what speaks against it as a whole.

    `key` sorts its values. `proof` finds at least one value where the type is proposed.
    """

    type: ColumnType
    words: str
    sql: str
    key: str = "{}"
    against: str = "FALSE"
    proof: str = "TRUE"
    functions: tuple[FunctionCall, ...] = ()


def _cast(type_: ColumnType) -> str:
    return cast("v", Kind.TEXT, type_)


# A leading zero would get lost: such values are codes, not numbers.
_NO_CODE = f"regexp_full_match(v, '{LEADING_ZERO}')"
_AS_DOUBLE = "TRY_CAST({} AS DOUBLE)"

# In the order of preference.
CANDIDATES = (
    Candidate(ColumnType.INTEGER, "integers", _cast(ColumnType.INTEGER), against=_NO_CODE),
    Candidate(
        ColumnType.NUMBER, "numbers", _cast(ColumnType.NUMBER), key=_AS_DOUBLE, against=_NO_CODE
    ),
    Candidate(
        ColumnType.NUMBER,
        "numbers with a decimal comma",
        f"CASE WHEN regexp_full_match(v, '{COMMA_NUMBER}') THEN {WITH_POINTS} END",
        key=_AS_DOUBLE,
        against=_NO_CODE,
        proof=f"regexp_full_match(v, '{CLEAR_COMMA}')",
        functions=(
            FunctionCall(name="replace", arguments=(".", "")),
            FunctionCall(name="replace", arguments=(",", ".")),
        ),
    ),
    Candidate(ColumnType.DATE, "dates", _cast(ColumnType.DATE)),
    Candidate(ColumnType.TIMESTAMP, "timestamps", _cast(ColumnType.TIMESTAMP)),
    Candidate(
        ColumnType.BOOLEAN,
        "true or false",
        _cast(ColumnType.BOOLEAN),
        proof="lower(trim(v)) NOT IN ('0', '1')",
    ),
)


def facts_query(candidates: Sequence[Candidate], bound: int, *, examples: int) -> str:
    """One row over a batch of values `v`: what they are, and how each candidate does."""
    inner = ["v", f"{IS_WORD} AS w", "hash(v) AS h"]
    outer = [
        "*",
        *(f"CASE WHEN NOT w THEN {one.sql} END AS t{n}" for n, one in enumerate(candidates)),
    ]
    facts = [
        "count(v) AS n",
        "max(length(v)) AS longest",
        "min(v) AS least",
        "max(v) AS greatest",
        "count(*) FILTER (WHERE w) AS worded",
        "list(DISTINCT v) FILTER (WHERE w) AS words",
        f"list(DISTINCT h) FILTER (WHERE v IS NOT NULL AND h <= {bound}) AS hashes",
    ]
    if examples:
        facts.append(f"list_slice(list(DISTINCT v), 1, {examples}) AS examples")
    for n, one in enumerate(candidates):
        facts += [
            f"count(t{n}) AS fits{n}",
            f"count(*) FILTER (WHERE {one.against}) AS against{n}",
            f"count(*) FILTER (WHERE t{n} IS NOT NULL AND {one.proof}) AS proofs{n}",
            *_bounds(one, n),
        ]
    words_known = select(inner, "batch")
    return select(facts, f"({select(outer, f'({words_known})')})")


def _bounds(candidate: Candidate, n: int) -> list[str]:
    """The least and the greatest value, and what they are compared by."""
    key = candidate.key.format(f"t{n}")
    keys = [f"min({key}) AS least_key{n}", f"max({key}) AS greatest_key{n}"]
    if candidate.key == "{}":
        texts = [f"CAST(min({key}) AS VARCHAR)", f"CAST(max({key}) AS VARCHAR)"]
    else:
        texts = [f"arg_min(t{n}, {key})", f"arg_max(t{n}, {key})"]
    return [*keys, f"{texts[0]} AS least{n}", f"{texts[1]} AS greatest{n}"]


def misfit_query(candidate: Candidate, limit: int) -> str:
    """The first different values that a candidate does not fit, and the rows where they are."""
    unfit = f"v IS NOT NULL AND NOT {IS_WORD} AND ({candidate.sql}) IS NULL"
    found = select(["v", "min(p) AS p"], f"batch WHERE {unfit} GROUP BY v")
    return select(["v", "p"], f"({found}) ORDER BY p LIMIT {limit}")
