"""Rows per table while a load runs, told about once a second."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from dlt.common.runtime.collector_base import Collector

ReportProgress = Callable[[str, dict[str, int]], None]
INTERVAL_S = 1.0


class ProgressMeter:
    """Counts rows per stage and table, from any thread, and reports them."""

    def __init__(self, report: ReportProgress) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._rows: dict[str, Counter[str]] = {}
        self._reported_at = 0.0

    def add(self, stage: str, table: str, rows: int) -> None:
        """Counts rows of a table, and reports the stage when the last report is a second old."""
        with self._lock:
            counter = self._rows.setdefault(stage, Counter())
            counter[table] += rows
            if time.monotonic() - self._reported_at < INTERVAL_S:
                return
            self._reported_at = time.monotonic()
            snapshot = dict(counter)
        self._report(stage, snapshot)

    def finish(self, stage: str) -> None:
        """Reports the final numbers of a stage."""
        with self._lock:
            snapshot = dict(self._rows.get(stage, {}))
        self._report(stage, snapshot)

    def rows(self, stage: str) -> dict[str, int]:
        """The rows of a stage so far."""
        with self._lock:
            return dict(self._rows.get(stage, {}))


class StageCollector(Collector):  # type: ignore[misc]
    """Hears dlt's counters and hands those of tables to the meter."""

    def __init__(self, meter: ProgressMeter, tables: Collection[str]) -> None:
        self._meter = meter
        self._tables = tables
        self._stage = "extract"

    def update(self, name: str, inc: int = 1, *args: Any, **kwargs: Any) -> None:
        """dlt counted `inc` more of `name`, which is a table, or something else of its own."""
        if name in self._tables and inc:
            self._meter.add(self._stage, name, inc)

    def _start(self, step: str) -> None:
        self._stage = step.split()[0].lower()

    def _stop(self) -> None:
        if self._stage != "load":  # the load jobs count by themselves
            self._meter.finish(self._stage)
