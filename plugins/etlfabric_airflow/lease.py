"""The right to be the one writer of a pipeline, kept alive by a thread while a load runs."""

import logging
import os
import socket
import threading
import time
import uuid
from types import TracebackType

from etlfabric_airflow.service import Service
from etlfabric_core.errors import Conflict, FabricError, TransientError
from etlfabric_core.specs.context import LeaseRequest, RunRef

WAIT_SECONDS = 120.0  # longer than a lease lives: a dead holder's lease runs out within it
POLL_SECONDS = 2.0
RENEW_SHARE = 1 / 3

log = logging.getLogger(__name__)


class KeptLease:
    """A lease as a context manager; `check()` says whether it still holds.

    A writer checks before it commits: time may have passed it by while it was stopped, and then
    another one may be writing under a higher epoch.
    """

    def __init__(self, service: Service, run: RunRef) -> None:
        self._service = service
        self._run = run
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        self._until = 0.0  # monotonic
        self._lost = False
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self.epoch = 0

    def __enter__(self) -> "KeptLease":
        """Raises:
        TransientError: another holder was alive all the time that was waited.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._acquire():
            if time.monotonic() > deadline:
                raise TransientError(
                    "another run is writing this pipeline",
                    hint="It is tried again; cancel the other run if it should not be there.",
                )
            time.sleep(POLL_SECONDS)
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._released.set()
        self._thread.join(timeout=POLL_SECONDS)
        try:
            self._service.lease("release", self._request())
        except FabricError as error:
            log.warning("the lease was not given back, it will run out: %s", error.message)

    def check(self) -> None:
        """Raises:
        TransientError: somebody else may be writing by now.
        """
        if self._lost or time.monotonic() >= self._until:
            raise TransientError(
                f"the write lease (epoch {self.epoch}) is lost",
                hint="Nothing more is written by this try; the next one takes over.",
            )

    def _request(self) -> LeaseRequest:
        return LeaseRequest(run=self._run, holder=self._holder, epoch=self.epoch or None)

    def _acquire(self) -> bool:
        asked = time.monotonic()
        try:
            lease, seconds = self._service.lease("acquire", self._request())
        except Conflict as conflict:
            log.info("waiting for the lease: %s", conflict.message)
            return False
        self.epoch, self._until = lease.epoch, asked + seconds
        return True

    def _keep(self) -> None:
        """Renew at a third of what is left; an absent service is asked again until it runs out."""
        while not self._released.wait(max(0.2, (self._until - time.monotonic()) * RENEW_SHARE)):
            asked = time.monotonic()
            try:
                _, seconds = self._service.lease("renew", self._request())
                self._until = asked + seconds
            except Conflict as conflict:
                log.error("the lease is lost: %s", conflict.message)
                self._lost = True
                return
            except FabricError as error:
                log.warning("the lease was not renewed: %s", error.message)
            if time.monotonic() >= self._until:
                self._lost = True
                return
