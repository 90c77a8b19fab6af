"""dlt's file destination, written to a folder first and brought to the bucket when it is whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlt.common.schema.utils import get_columns_names_with_prop
from dlt.destinations import filesystem
from dlt.destinations.impl.filesystem.filesystem import FilesystemClient

from etlfabric_core.extract_load.destinations.s3.files import KEPT, LAYOUT, Arrival, Tables
from etlfabric_core.extract_load.destinations.s3.mirror import LOADS, STATES, Mirror
from etlfabric_core.extract_load.destinations.writer import LoadGuard


@dataclass(frozen=True)
class Passage:
    """From the folder that dlt writes to, to the bucket.

    `replaced` are the tables of the load that dlt would empty first.
    """

    folder: Path
    mirror: Mirror
    tables: Tables
    guard: LoadGuard
    replaced: set[str] = field(default_factory=set)

    def publish(self, load_id: str, keys: Mapping[str, Sequence[str]]) -> None:
        """Brings everything over; what makes the load count comes last.

        `keys` are those of the tables that are merged into.

        Raises:
            FencedError: another try has taken over.
            TerminalError, TransientError: the bucket cannot be written.
        """
        self._require_ours()
        beginning = f"{self.mirror.writer.pipeline}.{load_id}."
        for table in {*keys, *self.replaced}:
            for file in list((self.folder / table).glob(f"{beginning}*.parquet")):
                file.rename(file.with_suffix(KEPT))
        names = [
            str(path.relative_to(self.folder))
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        ]
        marks = [name for name in names if name.startswith(f"{LOADS}/")]
        for name in names:
            if name not in marks:
                self.mirror.upload(self.folder, name)
        self._show(beginning, keys)
        self._require_ours()
        for name in marks:
            self.mirror.upload(self.folder, name)
        self.tables.complete.add(load_id)

    def _require_ours(self) -> None:
        self.guard.lease.check()
        self.mirror.require_current()

    def _show(self, beginning: str, keys: Mapping[str, Sequence[str]]) -> None:
        """Makes the files that begin so part of their tables, and counts them there."""
        files = sorted(self.folder.glob(f"*/{beginning}*.parquet"))
        for table in sorted({*self.replaced, *(file.parent.name for file in files)}):
            self.guard.lease.check()
            new = [file for file in files if file.parent.name == table]
            self.tables.show(table, Arrival(new, table in self.replaced, keys.get(table, ())))
            self.guard.count(table, self.tables.rows(table, beginning))


class PublishingClient(FilesystemClient):  # type: ignore[misc]
    """The job client of one load."""

    passage: Passage

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        """Remembers the tables that are replaced: here, nothing leaves them before rows come."""
        self.passage.replaced.update(truncate_tables or ())
        super().initialize_storage()

    def complete_load(self, load_id: str) -> None:
        """Completes the load in the folder, then in the bucket."""
        for folder in (LOADS, STATES):  # dlt makes them for a new schema only
            (self.passage.folder / folder).mkdir(parents=True, exist_ok=True)
        super().complete_load(load_id)
        merged = (one for one in self.schema.data_tables() if one["write_disposition"] == "merge")
        keys = {one["name"]: get_columns_names_with_prop(one, "primary_key") for one in merged}
        self.passage.publish(load_id, keys)


class PublishingFiles(filesystem):  # type: ignore[misc]
    """The destination of one load."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        super().__init__(
            bucket_url=passage.folder.parent.as_uri(),
            layout=LAYOUT,
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
        capabilities.supported_merge_strategies = []  # then it brings the files, and we merge
        capabilities.merge_strategies_selector = None
        return capabilities

    @property
    def client_class(self) -> Any:
        return type("PublishingClient", (PublishingClient,), {"passage": self._passage})
