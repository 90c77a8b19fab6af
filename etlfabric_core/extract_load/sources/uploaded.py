"""Uploaded files as a source: each file is a table."""

from collections.abc import Callable
from dataclasses import dataclass

from etlfabric_core.connectors.files import find
from etlfabric_core.connectors.record import Files
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.files.formats import File, named
from etlfabric_core.graph.resources import ResourceConfig


@dataclass(frozen=True)
class UploadedFiles:
    """The files of a connection, and how one of them becomes the table of a resource."""

    files: Files
    open_table: Callable[[File, str, ResourceConfig], SourceTable]

    def names(self) -> list[str]:
        """All files."""
        return sorted(self.files)

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The file a resource reads.

        Raises:
            TerminalError: it is missing, empty, damaged or of another format.
        """
        given = resource.source or resource.name
        name = named(self.files, given) or given
        return self.open_table(find(self.files, name), name, resource)
