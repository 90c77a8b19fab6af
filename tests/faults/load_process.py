"""Loads in processes of their own, to be killed, from a server that has imported everything.

By default a few kills on a few rows. `ETLFABRIC_KILLS=50` spreads fifty evenly over append,
replace and merge, from files and from PostgreSQL in binary, on hundreds of thousands of rows. The
seed is printed; `ETLFABRIC_SEED` repeats a run.
"""

import math
import multiprocessing
import os
import random
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from etlfabric_core.errors import FabricError
from etlfabric_core.extract_load.plan import LoadPlan
from tests.loading import run

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "etlfabric_core.extract_load.destinations.postgres.client",
        "dlt.sources.helpers.requests",
        "dlt.common.libs.pyarrow",
        *("pandas", "sqlalchemy", "psycopg", "pyarrow.csv", "pyarrow.parquet"),
    ]
)
PATIENCE_S = 120
WAYS = 6  # three dispositions from each of two sources
ALL_KILLS = int(os.environ.get("ETLFABRIC_KILLS", "12"))
KILLS = math.ceil(ALL_KILLS / WAYS)
IS_WHOLE = ALL_KILLS >= 50
SEED = int(os.environ.get("ETLFABRIC_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)


def work(
    events: Connection, load_plan: LoadPlan, work_dir: Path, files: dict[str, Path], epoch: int
) -> None:
    """In the child: sends every stage as it is reported, then how the load ended."""
    events.send(("go", None))
    try:
        result = run(
            load_plan, work_dir, files, epoch, lambda stage, rows: events.send((stage, rows))
        )
    except FabricError as error:
        events.send(("failed", error.code))
    else:
        events.send(("done", result.load_ids))


@dataclass(frozen=True)
class LoadProcess:
    """A running load."""

    process: ForkServerProcess
    events: Connection

    @classmethod
    def start(cls, *job: Any) -> "LoadProcess":
        """Starts `run(*job)` and waits until it is about to begin."""
        ours, theirs = SERVER.Pipe(duplex=False)
        process = SERVER.Process(target=work, args=(theirs, *job), daemon=True)
        process.start()
        theirs.close()
        started = cls(process, ours)
        started.wait_for("go")
        return started

    def wait_for(self, event: str) -> None:
        """Waits until the load tells of this stage."""
        while True:
            assert self.events.poll(PATIENCE_S), f"no '{event}' within {PATIENCE_S} s"
            told, value = self.events.recv()
            if told == event:
                return
            assert told not in ("failed", "done"), f"{told} {value} before '{event}'"

    def pause(self) -> None:
        """Stops it where it is."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        os.kill(self.process.pid, signal.SIGCONT)

    def end(self) -> tuple[str, Any]:
        """How it ended by itself: ('done', load ids) or ('failed', code)."""
        last = ("nothing", None)
        try:
            while self.events.poll(PATIENCE_S):
                last = self.events.recv()
        except EOFError:
            self.process.join(PATIENCE_S)
        return last

    def kill_after(self, seconds: float) -> bool:
        """Kills it then; False when it was done before."""
        self.process.join(seconds)
        alive = self.process.is_alive()
        self.process.kill()
        self.process.join()
        return alive
