"""What a key of a merge must be, at any destination: the errors where it is not."""

from collections.abc import Sequence

from etlfabric_core.errors import TerminalError


def without_value(table: str, keys: Sequence[str], rows: int) -> TerminalError:
    """The error of rows without a key: they meet no other, and would be there once more each time.

    Args:
        table: where they would go.
        keys: its key.
        rows: how many they are.
    """
    return TerminalError(
        f"resource '{table}', primary_key: {rows} rows have no value in ({', '.join(keys)})",
        hint="choose columns that are never empty, or correct the rows at the source",
    )


def not_unique(table: str, keys: Sequence[str], rows: int, count: int) -> TerminalError:
    """The error of `rows` that share `count` keys, of which only one of each would stay."""
    return TerminalError(
        f"resource '{table}', primary_key: ({', '.join(keys)}) is not unique: "
        f"{rows} rows share {count} keys",
        hint="name more columns, so that together they tell every row apart",
    )
