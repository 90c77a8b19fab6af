"""The sandbox from inside: what a child may do, and everything it may not."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import psutil
import pytest

from etlfabric_core import sandbox
from etlfabric_core.errors import TerminalError
from etlfabric_core.sandbox import Policy, bubblewrap, scratch, selftest, server

MARK = f"CANARY_{uuid.uuid4().hex}"
needs_landlock = pytest.mark.skipif(
    sandbox.level() != "landlock", reason="this kernel has no Landlock for networks"
)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    return Policy(work_dir, wall_seconds=20)


@pytest.fixture
def listener():
    """A TCP listener of ours, and its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def attempt(policy: Policy, *attempts: list) -> list[str]:
    return sandbox.call(selftest.attempt, list(attempts), policy=policy)


def test_ordinary_work_is_possible(policy: Policy) -> None:
    file = str(policy.work_dir / "file")
    done = attempt(policy, ["write", file], ["read", file], ["thread"], ["read", os.__file__])
    assert all(outcome.startswith("done") for outcome in done)


@needs_landlock
def test_files_outside_are_refused(policy: Policy, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(MARK)
    refused = attempt(
        policy,
        ["read", str(tmp_path / "secret")],
        ["list", str(tmp_path)],
        ["read", "/etc/shadow"],
        ["list", "/"],
        ["list", "/tmp"],
        ["list", "/root"],
        ["read", f"/proc/{os.getpid()}/environ"],
        ["read", f"/proc/{os.getpid()}/cmdline"],
        ["read", "/proc/1/environ"],
        ["read", "/proc/self/environ"],
        ["read", "/proc/self/mem"],
        ["list", "/dev/shm"],
        ["write", str(tmp_path / "new")],
        ["write", "/tmp/etlfabric-escape"],
        ["write", os.__file__],
        ["write", selftest.__file__],
        ["chmod", str(tmp_path / "secret")],
        ["link", str(tmp_path / "secret"), str(policy.work_dir / "link")],
    )
    assert refused == ["PermissionError"] * len(refused)
    assert not Path("/tmp/etlfabric-escape").exists()


@pytest.mark.parametrize("forced", ["landlock", "bubblewrap"])
def test_the_gate_is_the_only_way_out(policy: Policy, listener: int, forced, monkeypatch) -> None:
    if forced not in ("landlock" if sandbox.level() == "landlock" else "", "bubblewrap"):
        pytest.skip("this kernel has no Landlock for networks")
    monkeypatch.setattr(sandbox, "level", lambda: forced)

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.readline()).upper())
        writer.close()

    ask = """
import os, socket
with socket.create_connection(('127.0.0.1', int(os.environ['GATE_PORT']))) as s:
    s.sendall(b'hello\\n')
    result = s.makefile().read()
"""
    elsewhere = f"import socket; socket.create_connection(('127.0.0.1', {listener}), timeout=2)"
    programs = {"gate": ask, "again": ask, "elsewhere": elsewhere}
    answers = sandbox.call(
        selftest.execute, programs, policy=Policy(policy.work_dir, gate=shout, wall_seconds=20)
    )
    assert answers["gate"] == answers["again"] == "done: HELLO\n"
    assert answers["elsewhere"] in ("PermissionError", "ConnectionRefusedError")
    without = sandbox.call(selftest.execute, programs, policy=policy)
    assert without["gate"] == "KeyError"
    assert not [thread for thread in threading.enumerate() if thread.name == "sandbox-relay"]


@needs_landlock
def test_where_no_namespace_can_be_had_one_port_stays_open(
    policy: Policy, listener: int, monkeypatch
) -> None:
    """In containers that forbid namespaces: the ports of all hosts but one number are closed."""
    answer = subprocess.run(
        [sys.executable, "-c", _WITHOUT_NAMESPACES, str(policy.work_dir), str(listener)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.stdout.split() == ["one", "port", "0", "PermissionError"], answer.stderr


_WITHOUT_NAMESPACES = """
import os, socket, sys
from etlfabric_core.sandbox import child, network, selftest
work_dir, port = sys.argv[1:]
network.leave = lambda: False
ours, theirs = socket.socketpair()
policy = {"work_dir": work_dir, "environment": {}, "level": "landlock", "gate": True,
          "cpu_seconds": 9, "memory_bytes": 1 << 30, "file_bytes": 1 << 20, "open_files": 64,
          "threads": 64}
if os.fork() == 0:
    child._prepare(theirs, policy)
    gate = socket.socket().connect_ex(("127.0.0.1", int(os.environ["GATE_PORT"])))
    (other,) = selftest.attempt([["connect", "127.0.0.1", int(port)]])
    theirs.sendall(f"{network.in_force} {gate} {other}".encode())
    os._exit(0)
listener = network.take_gate(ours)
theirs.close()
print(ours.recv(1000).decode())
"""


def test_without_a_sandbox_nothing_runs_unless_the_operator_says_so(
    policy: Policy, monkeypatch
) -> None:
    monkeypatch.setattr(sandbox, "level", lambda: "process")
    monkeypatch.delenv(sandbox.OPT_OUT, raising=False)
    with pytest.raises(TerminalError, match="no sandbox"):
        sandbox.call(selftest.nothing, policy=policy)
    monkeypatch.setenv(sandbox.OPT_OUT, "true")
    assert sandbox.call(selftest.hoard, 7, policy=policy) == 7


def test_operators_are_told_what_is_in_force(monkeypatch) -> None:
    told = sandbox.report()
    assert told["level"] == sandbox.level()
    assert told["holes"] == []
    assert told["network"] == "none"
    assert told["limits"]["memory_bytes"] == 3 << 30
    monkeypatch.setattr(sandbox, "level", lambda: "process")
    monkeypatch.setenv(sandbox.OPT_OUT, "true")
    plain = sandbox.report.__wrapped__()
    assert {"read", "write"} <= set(plain["holes"])
    monkeypatch.delenv(sandbox.OPT_OUT)
    assert not sandbox.report.__wrapped__()["runs_tenant_code"]


@needs_landlock
def test_no_process_can_be_started_or_touched(policy: Policy) -> None:
    refused = attempt(
        policy,
        ["fork"],
        ["exec", "/bin/sh"],
        ["exec", sys.executable],
        ["signal", os.getpid()],
        ["signal", 1],
        ["signal", -1],
    )
    assert refused == ["PermissionError"] * len(refused)


def test_nothing_of_our_environment_or_files_is_inherited(policy: Policy, monkeypatch) -> None:
    monkeypatch.setenv("SANDBOX_TEST_CANARY", MARK)
    given = Policy(policy.work_dir, environment={"GIVEN": "yes"})
    shown, remembered, files = attempt(given, ["environ"], ["initial_environment"], ["descriptors"])
    assert "'GIVEN': 'yes'" in shown
    assert MARK not in shown + remembered
    assert "PATH=" not in remembered
    assert len(files.split(",")) == 1  # the way back to us


def test_the_server_keeps_no_secret_that_a_child_could_find(policy: Policy, monkeypatch) -> None:
    monkeypatch.setenv("SANDBOX_TEST_CANARY", MARK)
    monkeypatch.delenv(server.ADDRESS_VARIABLE, raising=False)
    attempt(policy, ["environ"])
    address = os.environ[server.ADDRESS_VARIABLE]
    (process,) = [
        child for child in psutil.Process().children() if address in " ".join(child.cmdline())
    ]
    assert MARK not in Path(f"/proc/{process.pid}/environ").read_text()
    assert set(process.environ()) <= {*server._ENVIRONMENT, "LC_CTYPE"}
    process.kill()
    process.wait()


def test_limits_of_time_processor_and_memory(policy: Policy) -> None:
    started = time.monotonic()
    with pytest.raises(TerminalError, match=r"longer than 1 s"):
        sandbox.call(selftest.spin, policy=Policy(policy.work_dir, wall_seconds=1))
    with pytest.raises(TerminalError, match="1 seconds of processor time"):
        sandbox.call(selftest.spin, policy=Policy(policy.work_dir, cpu_seconds=1))
    assert time.monotonic() - started < 10
    with pytest.raises(TerminalError, match="memory"):
        sandbox.call(selftest.hoard, 4 << 30, policy=policy)
    assert sandbox.call(selftest.hoard, 1 << 20, policy=policy) == 1 << 20


def test_a_child_that_is_given_up_is_killed(policy: Policy) -> None:
    with pytest.raises(TerminalError):
        sandbox.call(selftest.spin, policy=Policy(policy.work_dir, wall_seconds=0.5))
    deadline = time.monotonic() + 5
    while busy := _children_of_the_server():
        assert time.monotonic() < deadline, f"still there: {busy}"
        time.sleep(0.05)


def _children_of_the_server() -> list[psutil.Process]:
    address = server.ensure()
    return [
        child
        for process in psutil.process_iter(["cmdline"])
        if address in (process.info["cmdline"] or [])
        and process.parent() is not None
        and process.ppid() == os.getpid()
        for child in process.children()
    ]


def test_errors_and_logs_come_back_as_data(policy: Policy, caplog) -> None:
    with pytest.raises(TerminalError, match="TypeError"):
        sandbox.call(selftest.hoard, "not a number", policy=policy)
    with pytest.raises(TerminalError, match="may not be called"):
        sandbox.call(os.getcwd, policy=policy)
    caplog.set_level(logging.INFO)
    talk = "import logging; logging.getLogger('etlfabric_core.transform').info('said inside')"
    sandbox.call(selftest.execute, {"talk": talk}, policy=policy)
    assert ("etlfabric_core.transform", logging.INFO, "said inside") in caplog.record_tuples


def test_many_calls_at_once(policy: Policy) -> None:
    answers: list[int] = []
    calls = [
        threading.Thread(
            target=lambda size=size: answers.append(
                sandbox.call(selftest.hoard, size, policy=policy)
            )
        )
        for size in range(20)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert sorted(answers) == list(range(20))


def test_the_server_ends_with_its_starter() -> None:
    program = "from etlfabric_core.sandbox import server; print(server.ensure())"
    environment = {
        key: value for key, value in os.environ.items() if key != server.ADDRESS_VARIABLE
    }
    started = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    address = Path(started.stdout.strip())
    assert address.name == "socket"
    deadline = time.monotonic() + 10
    while address.exists():
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.1)


def test_overhead_of_a_warm_call_is_small(policy: Policy) -> None:
    attempt(policy, ["environ"])
    seconds = []
    for _ in range(10):
        started = time.monotonic()
        attempt(policy, ["environ"])
        seconds.append(time.monotonic() - started)
    assert sorted(seconds)[5] < 0.25  # 0.02 s on an idle machine


def test_a_folder_goes_away_whatever_is_in_it(tmp_path: Path) -> None:
    """Deeper than Python's rmtree can go, and with folders that nobody may read."""
    with scratch.folder() as folder:
        deep = os.open(folder, os.O_RDONLY)
        for _ in range(3000):
            os.mkdir("d", dir_fd=deep)
            below = os.open("d", os.O_RDONLY, dir_fd=deep)
            os.close(deep)
            deep = below
        os.close(deep)
        (folder / "link").symlink_to(tmp_path)
        (folder / "closed").mkdir()
        (folder / "closed" / "file").touch()
        (folder / "closed").chmod(0)
    assert not folder.exists()
    assert tmp_path.exists()


@pytest.mark.skipif(not bubblewrap.works(), reason="bubblewrap is not usable here")
def test_bubblewrap_shows_no_foreign_file(policy: Policy, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sandbox, "level", lambda: "bubblewrap")
    monkeypatch.setenv("SANDBOX_TEST_CANARY", MARK)
    (tmp_path / "secret").write_text(MARK)
    outcomes = attempt(
        policy,
        ["write", str(policy.work_dir / "file")],
        ["read", str(tmp_path / "secret")],
        ["read", "/proc/1/environ"],
        ["environ"],
        ["fork"],
    )
    assert outcomes[0].startswith("done")
    assert not outcomes[1].startswith("done")
    assert MARK not in "".join(outcomes)
