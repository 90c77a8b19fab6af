"""dlt's file destination, written to a folder first and brought to the bucket when it is whole."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlt.destinations import filesystem
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient

from etlfabric_core.extract_load.destinations.s3.mirror import LOADS, STATES, Mirror
from etlfabric_core.extract_load.destinations.writer import LoadGuard


@dataclass(frozen=True)
class Passage:
    """From the folder that dlt writes to, to the bucket."""

    folder: Path
    mirror: Mirror
    guard: LoadGuard

    def publish(self, tables: dict[str, str], load_id: str) -> None:
        """Brings everything over; what makes the load count comes last. `tables` say how.

        Raises:
            FencedError: another try has taken over.
            TerminalError, TransientError: the bucket cannot be written.
        """
        self.guard.lease.check()
        self.mirror.require_current()
        names = [
            str(path.relative_to(self.folder))
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        ]
        marks = [name for name in names if name.startswith(f"{LOADS}/")]
        for name in names:
            if name not in marks:
                self.mirror.upload(self.folder, name)
        for table, how in tables.items():
            self.guard.count(table, self._rows(table, load_id))
            if how == "replace":
                self._remove_older(table, load_id)
        self.guard.lease.check()
        self.mirror.require_current()
        for name in marks:
            self.mirror.upload(self.folder, name)

    def _rows(self, table: str, load_id: str) -> int:
        from pyarrow.parquet import read_metadata

        files = (self.folder / table).glob(f"{load_id}.*.parquet")
        return sum(int(read_metadata(file).num_rows) for file in files)

    def _remove_older(self, table: str, load_id: str) -> None:
        for name in self.mirror.names(table):
            if not name.startswith(f"{load_id}."):
                self.mirror.remove(f"{table}/{name}")


class PublishingClient(FilesystemClient):  # type: ignore[misc]
    """The job client of one load."""

    passage: Passage

    def complete_load(self, load_id: str) -> None:
        """Completes the load in the folder, then in the bucket."""
        for folder in (LOADS, STATES):  # dlt makes them for a new schema only
            (self.passage.folder / folder).mkdir(parents=True, exist_ok=True)
        super().complete_load(load_id)
        tables = {table["name"]: table["write_disposition"] for table in self.schema.data_tables()}
        self.passage.publish(tables, load_id)


class PublishingFiles(filesystem):  # type: ignore[misc]
    """The destination of one load."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        super().__init__(
            bucket_url=passage.folder.parent.as_uri(),
            layout="{table_name}/{load_id}.{file_id}.{ext}",
            destination_name="filesystem",
            max_state_files=0,
            warn_unsafe_layout_separators=False,
            always_refresh_views=False,
        )

    def _raw_capabilities(self) -> Any:
        capabilities = super()._raw_capabilities()
        capabilities.preferred_loader_file_format = "parquet"
        capabilities.supported_loader_file_formats = ["parquet"]
        capabilities.loader_file_format_selector = None
        return capabilities

    @property
    def client_class(self) -> Any:
        return type("PublishingClient", (PublishingClient,), {"passage": self._passage})
