"""Tells the metadata service how far a load is, without ever holding the load up."""

import logging
import threading
from types import TracebackType

from etlfabric_airflow.service import Service
from etlfabric_core.errors import FabricError
from etlfabric_core.specs.context import Progress, RunRef

INTERVAL_SECONDS = 1.0

log = logging.getLogger(__name__)


class ProgressSender:
    """Callable as `progress(stage, rows)`; sends the latest at most once a second."""

    def __init__(self, service: Service, run: RunRef) -> None:
        self._service = service
        self._run = run
        self._latest: Progress | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, name="progress", daemon=True)

    def __enter__(self) -> "ProgressSender":
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join(timeout=self._service.timeout)

    def __call__(self, stage: str, rows: dict[str, int]) -> None:
        self._latest = Progress(run=self._run, stage=stage, rows=dict(rows))  # type: ignore[arg-type]

    def _send(self) -> None:
        sent: Progress | None = None
        ended = False
        while not ended:
            ended = self._ended.wait(INTERVAL_SECONDS)
            latest = self._latest
            if latest is None or latest == sent:
                continue
            try:
                self._service.progress(latest)
                sent = latest
            except FabricError as error:
                log.debug("progress was not sent: %s", error.message)
