"""What the sandbox costs per call. `python -m tests.benchmarks.bench_sandbox [calls]`.

Prints milliseconds: a call in the sandbox at the level in force, with and without a gate, beside a
plain fork of a small process and a cold child process, which cannot be had without a sandbox.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

from etlfabric_core import sandbox
from etlfabric_core.sandbox import Policy, bubblewrap, scratch, selftest

_COLD = "import etlfabric_core.transform.invocation, dbt.cli.main"


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def plain_fork() -> None:
    """A child that does nothing."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def cold_child() -> None:
    """A fresh interpreter that imports dbt, as a task would have to without a warm server."""
    subprocess.run([sys.executable, "-c", _COLD], check=True)


def measured(action: Callable[[], None], times: int) -> dict[str, float]:
    """Milliseconds of this many calls: the middle one, and the slowest of the fastest 95 %."""
    action()
    took = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        took.append((time.perf_counter() - started) * 1000)
    took.sort()
    return {
        "p50": round(took[times // 2], 1),
        "p95": round(took[min(int(times * 0.95), times - 1)], 1),
        "calls": times,
    }


def main(times: int) -> None:
    """Measure and print; `sandbox_p95_ms` is what a task pays more than a plain fork."""
    with scratch.folder() as work_dir:
        plain, gated = Policy(work_dir), Policy(work_dir, gate=_hang_up)
        results = {
            "plain fork": measured(plain_fork, times),
            "cold child": measured(cold_child, 3),
            sandbox.level(): measured(lambda: sandbox.call(selftest.nothing, policy=plain), times),
            f"{sandbox.level()} with a gate": measured(
                lambda: sandbox.call(selftest.nothing, policy=gated), times
            ),
        }
        overhead = results[f"{sandbox.level()} with a gate"]["p95"] - results["plain fork"]["p95"]
        if sandbox.level() != "bubblewrap" and bubblewrap.works():
            sandbox.level = lambda: "bubblewrap"
            results["bubblewrap"] = measured(
                lambda: sandbox.call(selftest.nothing, policy=plain), max(times // 10, 3)
            )
    sys.stdout.write(json.dumps({"sandbox_p95_ms": round(overhead, 1), **results}, indent=2) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
