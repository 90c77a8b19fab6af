"""The names of columns as a person wrote them above a table."""

from collections.abc import Sequence

from etlfabric_core.errors import TerminalError


def check_names(names: Sequence[str], where: str) -> None:
    """Refuses names that tell no column apart; `where` is the row they stand in.

    Raises:
        TerminalError: a column without a name, or a name that occurs twice.
    """
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise TerminalError(f"{where}: column {number} has no name", hint="name it there")
        if name in seen:
            raise TerminalError(
                f"{where}: the name '{name}' occurs twice", hint="give every column its own name"
            )
        seen.add(name)
