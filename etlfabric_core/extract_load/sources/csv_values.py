"""Texts that are numbers or timestamps."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow

NUMBER = r"^\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*$"
ZONE = r"\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d(:?\d\d)?)$"


def timestamps(values: "pyarrow.ChunkedArray") -> "pyarrow.ChunkedArray":
    """Texts as UTC timestamps.

    Raises:
        ArrowInvalid: one of them is none.
    """
    import pyarrow as pa
    from pyarrow import compute

    whole = compute.utf8_trim_whitespace(values)
    dates = compute.equal(compute.utf8_length(whole), 10)
    whole = compute.if_else(dates, compute.binary_join_element_wise(whole, "T00:00:00", ""), whole)
    zoned = compute.match_substring_regex(whole, ZONE)
    whole = compute.if_else(zoned, whole, compute.binary_join_element_wise(whole, "Z", ""))
    return whole.cast(pa.timestamp("us", tz="UTC"))
