"""The one DAG factory: builds the DAGs of an entry file from the spec it was opened at."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from etlfabric_airflow.dags import build_dags, prepare
from etlfabric_airflow.guard import Refused, tried_out
from etlfabric_airflow.store import Opening, Store, read_spec, write_atomically
from etlfabric_core import clock
from etlfabric_core.errors import FabricError

ATTEMPTS = 2  # and the last good one: together they stay below Airflow's import timeout

log = logging.getLogger(__name__)


def register(namespace: dict[str, Any], file: str) -> None:
    """Put the DAGs of an entry file into its namespace.

    The newest spec wins; when it cannot be built, the newest one that can, so that what worked
    keeps working. On a worker only the DAG that is about to run is built.

    Raises:
        Refused: no spec of this workflow can be built. Only this entry file is affected.
    """
    opening = Opening.of(file)
    entry = _Entry(Store(opening.base), opening.entry, get_parsing_context().dag_id)
    dags = entry.newest() if opening.seq is None else entry.at(opening.seq)
    namespace.update({dag.dag_id: dag for dag in dags})


@dataclass(frozen=True)
class _Entry:
    """One workflow's entry file; `wanted` is the only DAG to build, where Airflow says one."""

    store: Store
    name: str
    wanted: str | None

    def at(self, version: int) -> list[DAG]:
        """For a run that began at `version`: what the dag-processor refused is left out, so that
        a task is built from the spec that its DAG was registered from.
        """
        for seq, path in self.store.candidates(self.name, version):
            if not self.store.error_file(self.name, seq).exists():
                return self._build(path)
        raise Refused(f"{self.name} has no usable spec at version {version}")

    def newest(self) -> list[DAG]:
        """For the dag-processor: leaves a receipt, and beside a refused spec the reason."""
        candidates = self.store.candidates(self.name, None)
        newest = candidates[0][0] if candidates else 0
        for seq, path in self._in_order(candidates):
            try:
                dags = self._build(path)
            except (Refused, FabricError, ValueError, OSError) as error:
                self._keep_refusal(seq, str(error))
                continue
            self.store.error_file(self.name, seq).unlink(missing_ok=True)
            self._keep_receipt(newest, seq)
            return dags
        self._keep_receipt(newest, 0)
        raise Refused(f"{self.name} has no spec that can be built; see {self.store.base}/specs")

    def _in_order(self, candidates: list[tuple[int, Path]]) -> Iterator[tuple[int, Path]]:
        """The newest, then older ones that were not refused before, a few in all."""
        good = self.store.good_seq(self.name)
        attempts = 0
        for place, (seq, path) in enumerate(candidates):
            refused = self.store.error_file(self.name, seq).exists()
            if place > 0 and seq != good and refused:
                continue
            if attempts >= ATTEMPTS and seq != good:
                self._keep_refusal(seq, "not tried: newer specs failed first")
                continue
            attempts += 1
            yield seq, path

    def _build(self, path: Path) -> list[DAG]:
        spec = read_spec(path)
        prepare(spec)  # imports take seconds in a cold process and are not the spec's fault
        build = partial(build_dags, spec, self.store.manifest_file, self.wanted)
        return tried_out(build, self.name)

    def _keep_refusal(self, seq: int, reason: str) -> None:
        log.error("spec %s of %s is refused: %s", seq, self.name, reason)
        content = {"seq": seq, "reason": reason, "at": clock.now().isoformat()}
        self._keep(self.store.error_file(self.name, seq), content)

    def _keep_receipt(self, seen: int, good: int) -> None:
        self._keep(self.store.receipt_file(self.name), {"seen": seen, "good": good})

    def _keep(self, path: Path, content: dict[str, Any]) -> None:
        try:
            write_atomically(path, json.dumps(content).encode())
        except OSError:
            # Whoever only reads (a read-only mount, another user's shell) still gets the DAGs.
            log.warning("cannot write %s", path, exc_info=True)
