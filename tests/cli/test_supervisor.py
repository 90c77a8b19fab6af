"""The supervisor with small real processes: order, restarts, failures, and that nothing is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cli.stack import control
from cli.stack.environment import MARKER
from cli.stack.layout import PROJECT, Layout
from cli.stack.postgres import wait_until

SECONDS = 30
# Runs a supervisor over the parts that PARTS describes: name, code, names it comes after, job.
RUNNER = """
import fcntl, json, os, sys
from pathlib import Path
from cli.stack.layout import Layout, python
from cli.stack.parts import Part, command
from cli.stack.privileges import adopt_orphans
from cli.stack.supervisor import Supervisor

layout = Layout.from_environment()
lock = layout.lock_file.open("a"); fcntl.flock(lock, fcntl.LOCK_EX)
adopt_orphans()
parts = tuple(
    Part(p["name"], command(python("-c", p["code"]), lambda: dict(os.environ)), tuple(p["after"]),
         None if p["job"] else (lambda name=p["name"]: Path(name).exists()))
    for p in json.loads(os.environ["PARTS"])
)
os.chdir(layout.var)
Supervisor(layout, parts, drain_seconds=3).run()
"""
IMPORTS = (
    "import os, pathlib, signal, subprocess, sys, time\nos.chdir(os.environ['ETLFABRIC_VAR'])\n"
)
SLEEP = "time.sleep(600)"
# A grandchild in a session of its own: no signal to the service's group reaches it.
DETACH = (
    f"subprocess.Popen([sys.executable, '-c', 'import time; {SLEEP}'], start_new_session=True)\n"
)
DRAIN = """
def drain(*_):
    time.sleep(1)
    pathlib.Path("drained").touch()
    sys.exit()
signal.signal(signal.SIGTERM, drain)
"""
STUBBORN = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def part(name: str, code: str, *after: str, job: bool = False) -> dict[str, object]:
    return {"name": name, "code": code, "after": after, "job": job}


def serving(name: str, first: str = "") -> str:
    """The code of a service that does `first`, says that it is ready, and stays."""
    return f"{IMPORTS}{first}pathlib.Path({name!r}).touch()\n{SLEEP}"


class Running:
    """A supervisor of a test."""

    def __init__(self, layout: Layout, parts: list[dict[str, object]]) -> None:
        self.layout = layout
        layout.make_directories()
        environment = os.environ | {
            "ETLFABRIC_VAR": str(layout.var),
            MARKER: str(layout.var),
            "PARTS": json.dumps(parts),
            "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "plugins"))),
        }
        self.process = subprocess.Popen([sys.executable, "-c", RUNNER], env=environment)

    def wait_for(self, name: str, check: Callable[[dict], bool]) -> dict:
        def holds() -> bool:
            return check(self.part(name))

        wait_until(holds, SECONDS, lambda: AssertionError(f"{name}: {self.part(name)}"))
        return self.part(name)

    def part(self, name: str) -> dict:
        return control.read_status(self.layout).get("parts", {}).get(name, {})

    def marked(self) -> list[psutil.Process]:
        return [p for p in control.marked(self.layout) if p.status() != psutil.STATUS_ZOMBIE]

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(SECONDS)


def ready(found: dict) -> bool:
    return found.get("state") == "ready"


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    layout = Layout.from_environment({"ETLFABRIC_VAR": str(tmp_path / "v r")})
    started: list[Running] = []

    def start(*parts: dict[str, object]) -> Running:
        started.append(Running(layout, list(parts)))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()
    control.sweep(layout)


def test_a_part_starts_when_what_it_needs_is_ready(supervise):
    running = supervise(
        part("service", serving("service"), "job"),
        part(
            "job", IMPORTS + "time.sleep(1); assert not pathlib.Path('service').exists()", job=True
        ),
    )
    running.wait_for("service", ready)
    assert running.part("job")["state"] == "ready"


def test_a_failed_job_holds_back_what_needs_it(supervise):
    running = supervise(
        part("job", "raise SystemExit(3)", job=True), part("service", serving("service"), "job")
    )
    failed = running.wait_for("job", lambda found: found.get("state") == "failed")
    assert failed["message"] == "ended with code 3"
    assert running.part("service")["state"] == "waiting"


def test_a_service_that_never_starts_is_given_up_with_its_reason(supervise):
    running = supervise(part("service", "raise SystemExit('no such table')"))
    failed = running.wait_for("service", lambda found: found.get("state") == "failed")
    assert failed["restarts"] == 2
    assert "no such table" in running.layout.log_file("service").read_text()


@pytest.mark.feature("H5")
def test_a_crashed_service_comes_back(supervise):
    running = supervise(part("service", serving("service")))
    first = running.wait_for("service", ready)
    os.kill(first["pid"], signal.SIGKILL)
    second = running.wait_for("service", lambda found: ready(found) and found["restarts"] == 1)
    assert second["pid"] != first["pid"]


def test_what_a_killed_service_leaves_behind_is_ended(supervise):
    running = supervise(part("service", serving("service", DETACH)))
    found = running.wait_for("service", ready)
    child = psutil.Process(found["pid"]).children()[0]
    os.kill(found["pid"], signal.SIGKILL)
    wait_until(lambda: not child.is_running(), SECONDS, lambda: AssertionError("orphan lives"))


@pytest.mark.feature("I8")
def test_sigterm_lets_a_service_drain(supervise):
    running = supervise(part("service", serving("service", DRAIN)))
    running.wait_for("service", ready)
    running.end()
    assert (running.layout.var / "drained").exists()


def test_nothing_is_left_of_a_service_that_ignores_sigterm(supervise):
    running = supervise(part("service", serving("service", STUBBORN + DETACH)))
    running.wait_for("service", ready)
    assert len(running.marked()) == 3
    running.end()
    assert running.marked() == []
    assert not list(running.layout.run.glob("service.pid"))


def test_children_die_with_a_killed_supervisor_and_down_finds_the_rest(supervise):
    running = supervise(part("service", serving("service", DETACH)))
    found = running.wait_for("service", ready)
    assert len(running.marked()) == 3
    running.process.kill()
    running.process.wait()
    wait_until(
        lambda: found["pid"] not in {process.pid for process in running.marked()},
        SECONDS,
        lambda: AssertionError("the service outlived its supervisor"),
    )
    assert len(running.marked()) == 1, "the detached grandchild is what `down` must find"
    assert control.down(running.layout)
    assert running.marked() == []


def test_a_long_log_is_rotated(supervise):
    running = supervise(part("service", serving("service")))
    running.wait_for("service", ready)
    log = running.layout.log_file("service")
    with log.open("ab") as file:
        file.truncate(21 * 1024 * 1024)
    wait_until(
        lambda: log.with_suffix(".log.1").exists() and log.stat().st_size == 0,
        SECONDS,
        lambda: AssertionError("not rotated"),
    )
