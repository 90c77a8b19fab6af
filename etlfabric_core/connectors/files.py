"""What file connectors share: which uploads, and how the rows are written in a file."""

import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeVar

from pydantic import Field

from etlfabric_core.connectors.record import ConnectorModel, TestResult
from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.files.formats import File, named


class UploadsConfig(ConnectorModel):
    """Which uploads."""

    uploads: tuple[int, ...] = Field(
        title="Files", min_length=1, description="Ids of uploaded files."
    )


class FieldType(StrEnum):
    """What a field of JSON holds. `json` takes any value as it is."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    JSON = "json"


class JsonOptions(ConnectorModel):
    """Where the records are in JSON, and what their fields hold."""

    records: str = Field(
        "",
        max_length=500,
        description="Way to the array of records in a JSON document, such as data.items.",
    )
    fields: dict[str, FieldType] = Field(
        default_factory=dict,
        description="Types of fields; those of the others follow from their values.",
    )


AnyFile = TypeVar("AnyFile", bound=File)


def find(files: Mapping[str, AnyFile], name: str) -> AnyFile:
    """The file of that name, with or without its endings.

    Raises:
        TerminalError: it is missing or empty.
    """
    file = files.get(named(files.keys(), name) or name)
    if file is None:
        known = ", ".join(sorted(files)) or "none"
        raise TerminalError(
            f"file '{name}' is not among the files of the connection",
            hint=f"upload it, or name one of: {known}",
        )
    try:
        with file.open("rb") as raw:
            is_empty = not raw.read(1)
    except FileNotFoundError:
        raise TerminalError(f"file '{name}' is gone", hint="upload the file again") from None
    if is_empty:
        raise TerminalError(f"file '{name}' is empty", hint="upload the file again")
    return file


def tested(attempt: Callable[[], str]) -> TestResult:
    """The outcome of an attempt, which says what it found. A refusal is an answer."""
    started = time.monotonic()

    def milliseconds() -> int:
        return round((time.monotonic() - started) * 1000)

    try:
        found = attempt()
    except FabricError as error:
        return TestResult(False, error.message, milliseconds(), hint=error.hint)
    return TestResult(True, found, milliseconds())
