"""Where a load begins: behind the highest value that was loaded, or some way before it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dlt
from dlt.extract.incremental import Incremental

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.cursor_values import DAY, lowest_text
from etlfabric_core.extract_load.source_table import SourceColumn
from etlfabric_core.graph.resources import Boundary, ResourceConfig

if TYPE_CHECKING:
    import pyarrow

YEAR = 4  # digits


class _Lagging(Incremental[Any]):  # type: ignore[misc]
    """dlt's own lag reads some of the forms that databases write times in, and not all."""

    def _get_last_value(self) -> Any:
        if self._current_last_value is not None:
            return self._current_last_value
        highest = self.get_state()["last_value"]
        if highest is None or self.lag is None:
            return highest
        start = lagged(highest, self.lag, self.cursor_path)
        return start if self.initial_value is None else max(start, self.initial_value)

    def __call__(self, rows: Any, meta: Any = None) -> Any:
        """A first batch without rows would set dlt's beginning to the highest value."""
        return rows if getattr(rows, "num_rows", None) == 0 else super().__call__(rows, meta)


def following(config: ResourceConfig, cursor: SourceColumn) -> Incremental[Any]:
    """What follows the cursor of a resource; its `last_value` is where to begin.

    Raises:
        TerminalError: the configured start is not a value of the column.
    """
    assert config.cursor is not None  # noqa: S101 (called for resources that have one)
    settings = {
        "initial_value": _initial_value(config, cursor),
        # A merge may meet the newest row again; an append must not, so it remembers them.
        "primary_key": () if config.is_keyed else (config.primary_key or None),
        "on_cursor_value_missing": "raise",
    }
    if config.cursor.lag:
        return _Lagging(cursor.name, lag=config.cursor.lag, **settings)
    exclusive = config.cursor.boundary is Boundary.EXCLUSIVE
    return dlt.sources.incremental(
        cursor.name, range_start="open" if exclusive else "closed", **settings
    )


def sorting(rows: "Iterator[pyarrow.Table]", cursor: SourceColumn) -> "Iterator[pyarrow.Table]":
    """The rows; their cursor sorts as a text the way its moments do.

    Raises:
        TerminalError: a moment lies after the year 9999: dlt would leave rows out in silence.
    """
    if not _is_told_as_text(cursor):
        yield from rows
        return
    import pyarrow.compute as pc

    for batch in rows:
        values = batch.column(cursor.name)
        # "2024-…", and what lies before all others: "-infinity".
        has_year = pc.equal(pc.utf8_slice_codeunits(values, YEAR, YEAR + 1), "-")
        beyond = values.filter(pc.invert(pc.or_(has_year, pc.starts_with(values, "-"))))
        if len(beyond):
            raise TerminalError(
                f"cursor '{cursor.name}': no row would follow one at {beyond[0]}",
                hint="keep such rows out by a filter, or follow another column",
            )
        yield batch


def _is_told_as_text(cursor: SourceColumn) -> bool:
    """Whether a source tells its moments as texts."""
    kind = cursor.destination_type or ""
    return cursor.arrow == "string" and kind.startswith(("timestamp", "date"))


def lagged(highest: Any, lag: float, column: str) -> Any:
    """The value that lies `lag` before: seconds of a time, and of a number its own unit.

    A time as text is cut to its full second (a date to its day), without a fraction and a zone:
    as text that is not above any later time, in whichever form the source writes it.

    Raises:
        TerminalError: nothing can be taken from the value.
    """
    try:
        if isinstance(highest, str):
            return _text_before(highest, timedelta(seconds=lag))
        if isinstance(highest, datetime):
            return highest - timedelta(seconds=lag)
        if isinstance(highest, date):
            return (datetime.combine(highest, datetime.min.time()) - timedelta(seconds=lag)).date()
        return highest - (int(lag) if isinstance(highest, int) else lag)
    except (ValueError, OverflowError):
        raise TerminalError(
            f"cursor '{column}': there is no time {lag:g} seconds before its highest value",
            hint="leave out cursor.lag, or keep values such as infinity out by a filter",
        ) from None


def _text_before(highest: str, lag: timedelta) -> str:
    before = datetime.fromisoformat(highest) - lag
    if len(highest) == DAY:
        return before.date().isoformat()
    return lowest_text(before.replace(microsecond=0), separator=highest[DAY])


def _initial_value(config: ResourceConfig, cursor: SourceColumn) -> Any:
    """A configured start in the type in which the cursor travels.

    Raises:
        TerminalError: it cannot be one.
    """
    value = config.cursor.initial_value if config.cursor else None
    if value is None:
        return None
    try:
        if cursor.arrow == "timestamp":
            moment = datetime.fromisoformat(str(value))
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if cursor.arrow == "date32":
            return date.fromisoformat(str(value))
        if _is_told_as_text(cursor) and len(str(value)) > DAY:
            # Databases write a space between date and time.
            moment = datetime.fromisoformat(str(value))
            return lowest_text(moment.astimezone(UTC) if moment.tzinfo else moment)
        return {"int64": int, "double": float}.get(cursor.arrow, str)(value)
    except ValueError:
        raise TerminalError(
            f"resource '{config.name}', cursor.initial_value: not a value of this column",
            hint="write it like a value of the column",
        ) from None
