"""A DAG bundle whose content is the metadata service's published workflows."""

import fcntl
import logging
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion
from airflow.sdk import get_parsing_context

from etlfabric_airflow import feed, roles
from etlfabric_airflow.service import Service
from etlfabric_airflow.store import Store, write_atomically
from etlfabric_airflow.timeouts import OutOfTime, time_limit
from etlfabric_core.errors import FabricError, NotFound, TerminalError, TransientError
from etlfabric_core.specs.document import DagSpec, Refused

REFRESH_SECONDS = 2.0  # refresh() runs inside the dag-processor's only loop
REQUEST_SECONDS = 1.0
RETOUCH_SECONDS = 1.0

log = logging.getLogger(__name__)


class RolesMissing(Exception):
    """Before the next DAGs, the roles of these organizations have to be there."""

    def __init__(self, organizations: Collection[str]) -> None:
        super().__init__(", ".join(sorted(organizations)))
        self.organizations = organizations


class FabricBundle(BaseDagBundle):
    """Version = the feed's last `seq`. A version's files are those of every other version; the
    factory takes the newest spec at or below the version that its file was opened at.
    """

    supports_versioning = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.store = Store(self.base_dir)
        # Entries whose newest spec the dag-processor has not read yet, and when they were touched.
        self._waiting: dict[str, float] | None = None
        self._organizations: set[str] = set()  # those whose role is there

    @property
    def path(self) -> Path:
        if self.version:
            return self.store.version_dir(int(self.version)) / "entries"
        return self.store.entries()

    def initialize(self) -> None:
        """Make `path` usable; on a worker, have the spec of the DAG that is about to run.

        Raises:
            TransientError: the spec is not here and the service is away.
        """
        self.store.entries().mkdir(parents=True, exist_ok=True)
        if self.version:
            self.store.open_version(int(self.version))
            self._fetch_for_task(int(self.version))
        super().initialize()

    def get_current_version(self) -> BundleVersion:
        return BundleVersion(self.version or str(self.store.followed()))

    def refresh(self) -> None:
        """Take over what was published since the last call. Does nothing when nothing was.

        Raises:
            TransientError: the service was away, too slow, or answered nonsense; everything that
                was there stays.
        """
        if self._waiting is None:
            entries = self.store.entries().glob("*.py")
            self._ensure_roles({file.name.partition(".")[0] for file in entries})
        while missing := self._follow():
            self._ensure_roles(missing)

    def _follow(self) -> Collection[str]:
        """Follows the feed, within the limit, until it needs roles that are not there: these."""
        try:
            with time_limit(REFRESH_SECONDS), self._only_one() as mine:
                if mine:
                    self._refresh(time.monotonic() + REFRESH_SECONDS)
        except RolesMissing as found:
            return found.organizations
        except OutOfTime as error:
            raise TransientError(
                f"following the feed {error}", hint="The next refresh goes on where it stopped."
            ) from error
        return ()

    def _refresh(self, deadline: float) -> None:
        if self._waiting is None:
            self._waiting = dict.fromkeys(self.store.unparsed(), time.monotonic())
        service = Service.from_environment(timeout=REQUEST_SECONDS)
        try:
            for entry in feed.follow(self.store, service, deadline, self._expect):
                self._waiting[entry] = time.monotonic()
        finally:
            for entry in list(self._waiting):
                self._see_through(entry, service, self._waiting)

    def _see_through(self, entry: str, service: Service, waiting: dict[str, float]) -> None:
        """Airflow parses a file whose time stamp is later than the end of its last parse. An
        edit that arrives during a parse is older than that end: such a file is touched again,
        until the factory has left a receipt for the newest spec. A manifest that could not be
        had is asked for again in the same rhythm.
        """
        if time.monotonic() - waiting[entry] < RETOUCH_SECONDS:
            return
        spec = self.store.newest_spec(entry)
        if spec is None or not self.store.entry_file(entry).exists():
            del waiting[entry]
            return
        had_manifest = self.store.has_manifest(spec)
        if not had_manifest:
            self._fetch_manifest(entry, service, spec)
        if had_manifest and self.store.is_parsed(entry):
            self._tell_refusal(entry, service)
            del waiting[entry]
            return
        waiting[entry] = time.monotonic()
        self.store.touch(entry)

    def _expect(self, organizations: Collection[str]) -> None:
        """Before their first DAG: one that names a role that is missing is an import error."""
        if missing := set(organizations) - self._organizations:
            raise RolesMissing(missing)

    def _ensure_roles(self, organizations: Iterable[str]) -> None:
        """Never within the limit: the first role imports a lot and has SQLAlchemy put its classes
        together, and what is broken off in that cannot be used again by this process.
        """
        for organization in organizations:
            roles.ensure_organization(organization)
            self._organizations.add(organization)

    def _fetch_manifest(self, entry: str, service: Service, spec: DagSpec) -> None:
        try:
            feed.fetch_manifest(self.store, service, spec)
        except FabricError as error:
            log.error("the manifest of %s is still missing: %s", entry, error.message)

    def _tell_refusal(self, entry: str, service: Service) -> None:
        """The organization learns what could not be built; the operators' log has it anyway."""
        refusal = self.store.refusal(entry)
        if refusal is None:
            return
        seq, reason = refusal
        try:
            service.refuse(Refused(dag_id=entry, seq=seq, reason=reason[:4000]))
        except TerminalError as error:  # the workflow is gone by now
            log.warning("nobody to tell that %s was refused: %s", entry, error.message)

    @contextmanager
    def _only_one(self) -> Iterator[bool]:
        """Several dag-processors on one machine share the files: one of them follows the feed.

        Does not wait, unlike the base class's lock: whoever is not first sees the other's work.
        """
        self.base_dir.mkdir(parents=True, exist_ok=True)
        with (self.base_dir / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _fetch_for_task(self, at: int) -> None:
        """On a worker that does not follow the feed, ask for the one spec that a task needs."""
        dag_id = get_parsing_context().dag_id
        if dag_id is None:
            return
        org, workflow, *_ = dag_id.split(".")
        entry = f"{org}.{workflow}"
        self.store.make_openable(entry)
        if self.store.has_spec(entry, at):
            return
        service = Service.from_environment()
        publication = service.spec(org, workflow, at)
        problem = feed.wrong_with(publication)
        if problem or publication.spec is None or publication.seq > at:
            raise NotFound(f"no spec of {entry} at {at}: {problem or 'it was deleted'}")
        feed.fetch_manifest(self.store, service, publication.spec)
        content = publication.spec.model_dump_json().encode()
        write_atomically(self.store.pinned_file(entry, at), content)
