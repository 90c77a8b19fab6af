"""Connections whose database is one uploaded file."""

from pathlib import Path

from pydantic import Field

from etlfabric_core.connectors.record import ConnectorModel, Files
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint


class DatabaseFileConfig(ConnectorModel):
    """Which upload is the database."""

    uploads: tuple[int, ...] = Field(
        title="File",
        min_length=1,
        max_length=1,
        description="The id of the uploaded database file.",
    )


def database_file(endpoint: Endpoint, files: Files, *, label: str, magic: bytes, at: int) -> Path:
    """The uploaded file, which has the bytes `magic` at that place.

    Raises:
        TerminalError: the file is missing, empty or of another kind.
    """
    names = [file.name for file in endpoint.files] or list(files)
    path = files.get(names[0]) if names else None
    if path is None or not path.is_file():
        raise TerminalError("uploads: the database file is missing", hint="upload the file again")
    with path.open("rb") as file:
        head = file.read(at + len(magic))
    if not head:
        raise TerminalError(f"uploads: '{names[0]}' is empty", hint="upload the file again")
    if head[at:] != magic:
        raise TerminalError(
            f"uploads: '{names[0]}' is not a {label} database",
            hint=f"upload a file written by {label}",
        )
    return path
