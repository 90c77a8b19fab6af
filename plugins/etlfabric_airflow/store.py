"""Where the bundle keeps published specs on disk, and which one a DAG file is opened at.

entries/<org>.<workflow>.py       scanned by the dag-processor: the workflows that exist
opened/<org>.<workflow>.py        the same bytes, never removed: runs outlive a deletion
versions/<seq>/entries -> ../../opened
versions/<seq>/specs/<entry>.json a spec that a worker without the feed asked for
specs/<entry>/<seq>.json          every spec that a run may still need
specs/<entry>/<seq>.error.json    why that spec could not be built
manifests/<sha256>.json           dbt manifests
receipts/<entry>                  the newest seq that the dag-processor has built from
feed.json                         how far the feed was followed
"""

import json
import os
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from etlfabric_core import clock
from etlfabric_core.errors import TransientError
from etlfabric_core.specs.document import DagSpec

ENTRY_SOURCE = Path(__file__).parents[2] / "dags" / "etlfabric_dags.py"
KEEP_SPECS = 20
KEEP_DAYS = 14


def write_atomically(path: Path, content: bytes) -> None:
    """Readers see the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Opening:
    """An entry file as it was opened: which workflow, at which version (None: the newest)."""

    base: Path
    entry: str
    seq: int | None

    @classmethod
    def of(cls, file: str) -> "Opening":
        """Read it from the path, without following the link of a version."""
        path = Path(file)
        folder = path.parent.parent
        if folder.parent.name == "versions":
            return cls(folder.parent.parent, path.stem, int(folder.name))
        return cls(folder, path.stem, None)


@dataclass(frozen=True)
class Store:
    """The files below one bundle's folder."""

    base: Path

    def entry_file(self, entry: str) -> Path:
        return self.base / "entries" / f"{entry}.py"

    def entries(self) -> Path:
        return self.base / "entries"

    def version_dir(self, seq: int) -> Path:
        return self.base / "versions" / str(seq)

    def manifest_file(self, sha256: str) -> Path:
        return self.base / "manifests" / f"{sha256}.json"

    def spec_file(self, entry: str, seq: int) -> Path:
        return self.base / "specs" / entry / f"{seq}.json"

    def error_file(self, entry: str, seq: int) -> Path:
        return self.base / "specs" / entry / f"{seq}.error.json"

    def receipt_file(self, entry: str) -> Path:
        return self.base / "receipts" / entry

    # --- what is there -----------------------------------------------------------------------

    def followed(self) -> int:
        """The feed's seq up to which everything is on disk; 0 when nothing is."""
        try:
            return int(json.loads((self.base / "feed.json").read_bytes())["seq"])
        except FileNotFoundError:
            return 0

    def set_followed(self, seq: int) -> None:
        write_atomically(self.base / "feed.json", json.dumps({"seq": seq}).encode())

    def spec_seqs(self, entry: str) -> list[int]:
        """Of the specs on disk, the newest first."""
        names = (path.name for path in (self.base / "specs" / entry).glob("*.json"))
        stems = (name.removesuffix(".json") for name in names)
        return sorted((int(stem) for stem in stems if stem.isdigit()), reverse=True)

    def candidates(self, entry: str, at: int | None) -> list[tuple[int, Path]]:
        """Spec files to build from, the best first; `at` is the version that was opened."""
        if at is not None:
            pinned = self.pinned_file(entry, at)
            if pinned.exists():
                return [(at, pinned)]
        return [
            (seq, self.spec_file(entry, seq))
            for seq in self.spec_seqs(entry)
            if at is None or seq <= at
        ]

    def pinned_file(self, entry: str, at: int) -> Path:
        return self.version_dir(at) / "specs" / f"{entry}.json"

    def newest_spec(self, entry: str) -> DagSpec | None:
        seqs = self.spec_seqs(entry)
        return read_spec(self.spec_file(entry, seqs[0])) if seqs else None

    def has_manifest(self, spec: DagSpec) -> bool:
        return spec.dbt is None or self.manifest_file(spec.dbt.manifest_sha256).exists()

    def has_spec(self, entry: str, at: int) -> bool:
        """Whether the spec of a version is on disk: the feed covers it, or it was fetched."""
        if self.pinned_file(entry, at).exists():
            return True
        return self.followed() >= at and any(seq <= at for seq in self.spec_seqs(entry))

    # --- writing ------------------------------------------------------------------------------

    def open_version(self, seq: int) -> Path:
        """The folder of entry files of a version.

        A version is a real folder that holds a link, so that Airflow's clean-up of stale
        versions can remove it without touching what it points to.
        """
        folder = self.version_dir(seq)
        link = folder / "entries"
        if not link.is_symlink():
            folder.mkdir(parents=True, exist_ok=True)
            (self.base / "opened").mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                fresh = Path(scratch) / "entries"
                fresh.symlink_to(Path("..") / ".." / "opened")
                fresh.replace(link)
        return link

    def make_openable(self, entry: str) -> None:
        path = self.base / "opened" / f"{entry}.py"
        if not path.exists():
            write_atomically(path, ENTRY_SOURCE.read_bytes())

    def publish(self, entry: str, seq: int, spec: DagSpec) -> None:
        """Make a spec the newest of its workflow and have the entry file parsed again."""
        write_atomically(self.spec_file(entry, seq), spec.model_dump_json().encode())
        self.make_openable(entry)
        self.touch(entry)
        self.prune(entry)

    def withdraw(self, entry: str) -> None:
        """Take a deleted workflow out of Airflow; its specs stay for the runs under way."""
        self.entry_file(entry).unlink(missing_ok=True)
        self.receipt_file(entry).unlink(missing_ok=True)

    def touch(self, entry: str) -> None:
        write_atomically(self.entry_file(entry), ENTRY_SOURCE.read_bytes())

    def prune(self, entry: str) -> None:
        """Forget specs that are neither recent, nor among the last, nor the one in use."""
        cutoff = (clock.now() - timedelta(days=KEEP_DAYS)).timestamp()
        kept = self.good_seq(entry)
        for seq in self.spec_seqs(entry)[KEEP_SPECS:]:
            path = self.spec_file(entry, seq)
            if seq != kept and path.stat().st_mtime < cutoff:
                path.unlink(missing_ok=True)
                self.error_file(entry, seq).unlink(missing_ok=True)

    # --- what the dag-processor did -------------------------------------------------------------

    def receipt(self, entry: str) -> dict[str, int]:
        """`seen`: the newest seq that was read; `good`: the seq that the DAGs come from."""
        try:
            content: dict[str, int] = json.loads(self.receipt_file(entry).read_bytes())
        except FileNotFoundError:
            return {}
        return content

    def good_seq(self, entry: str) -> int | None:
        return self.receipt(entry).get("good")

    def is_parsed(self, entry: str) -> bool:
        """Whether the dag-processor has read the newest spec of a workflow."""
        seqs = self.spec_seqs(entry)
        return not seqs or self.receipt(entry).get("seen", 0) >= seqs[0]

    def refusal(self, entry: str) -> tuple[int, str] | None:
        """Seq and reason, when the newest spec of a workflow was read and could not be built."""
        receipt = self.receipt(entry)
        seen = receipt.get("seen", 0)
        if receipt.get("good") == seen or not self.error_file(entry, seen).exists():
            return None
        return seen, str(json.loads(self.error_file(entry, seen).read_bytes())["reason"])

    def unparsed(self) -> list[str]:
        """Entries whose newest spec the dag-processor has not read. Looks at every entry."""
        stems = sorted(path.stem for path in self.entries().glob("*.py"))
        return [entry for entry in stems if not self.is_parsed(entry)]


def read_spec(path: Path) -> DagSpec:
    """A spec from disk.

    Raises:
        TransientError: it went away between listing and reading.
        pydantic.ValidationError: the file was damaged.
    """
    try:
        return DagSpec.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise TransientError(f"spec {path.name} is gone", hint="It is read again soon.") from error
