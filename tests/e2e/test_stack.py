"""The local stack as a whole: up, status, a taken port, a killed part, and down."""

import json
import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from cli.stack import control
from tests.e2e.conftest import new_stack
from tests.e2e.running import Stack, eventually

pytestmark = [pytest.mark.stack]

PARTS = {"postgres", "api", "api-server", "scheduler", "dag-processor", "triggerer"}


def test_up_again_says_that_it_is_up(stack: Stack) -> None:
    assert "already up" in stack.etlfabric("up").stdout


@pytest.mark.feature("I8")
def test_every_part_is_healthy(stack: Stack) -> None:
    found = eventually(
        lambda: json.loads(stack.etlfabric("status", "--json", check=False).stdout),
        lambda status: all(part["healthy"] for part in status["parts"].values()),
    )
    assert set(found["parts"]) >= PARTS


@pytest.mark.feature("A21")
def test_every_part_listens_on_this_machine_only(stack: Stack) -> None:
    listening = {
        connection.laddr
        for process in control.marked(stack.layout)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert set(stack.layout.ports.values()) <= {address.port for address in listening}
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_a_killed_scheduler_comes_back_and_leaves_no_worker(stack: Stack) -> None:
    pid = int(stack.layout.pid_file("scheduler").read_text().split()[0])
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: [p for p in family if p.is_running()], lambda alive: not alive)
    eventually(
        lambda: control.status(stack.layout)["parts"]["scheduler"],
        lambda part: part["healthy"] and part["restarts"] > 0,
        seconds=120,
    )


def test_a_taken_port_is_named_with_the_setting_that_moves_it(tmp_path: Path) -> None:
    other = new_stack(tmp_path / "var")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", other.layout.ports["api"]))
        taken.listen()
        refused = other.etlfabric("up", check=False)
    assert refused.returncode == 1
    assert f"port {other.layout.ports['api']}" in refused.stderr
    assert "ETLFABRIC_API_PORT" in refused.stderr
    assert control.marked(other.layout) == []


def test_nothing_outlives_down(tmp_path: Path) -> None:
    other = new_stack(tmp_path / "var")
    try:
        other.etlfabric("up")
        assert len(control.marked(other.layout)) > len(PARTS)
    finally:
        other.etlfabric("down")
    assert control.marked(other.layout) == []
    assert not list(other.layout.run.glob("*.pid"))
    assert not control.is_running(other.layout)
    assert "nothing was running" in other.etlfabric("down").stdout
