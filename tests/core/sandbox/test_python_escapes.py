"""Python that a tenant could write, at each level of the sandbox: nothing gets out, all of it ends.

By default bubblewrap, which starts a cold child per call, tries the first of the greedy ones only;
`ETLFABRIC_ESCAPES=all` tries all of them.
"""

import os
import re
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.stack.ports import free_port
from etlfabric_core import sandbox
from etlfabric_core.errors import TerminalError
from etlfabric_core.sandbox import Policy, bubblewrap, forbidden, scratch, seccomp, selftest, server
from tests.core.sandbox.hostile_python import GREEDY, LOOKING, PRELUDE, REFUSED

EVERYTHING = os.environ.get("ETLFABRIC_ESCAPES") == "all"
MARK = f"CANARY_{uuid.uuid4().hex}"
SMALL = {
    "wall_seconds": 6.0,
    "cpu_seconds": 3,
    "memory_bytes": 1 << 30,
    "disk_bytes": 64 << 20,
    "file_bytes": 32 << 20,
    "answer_bytes": 8 << 20,
}
# For what shall meet another limit than that of time, on a machine that is busy.
PATIENT = {"wall_seconds": 60.0, "cpu_seconds": 30}
SHARED = (Path("/tmp"), Path("/dev/shm"))

Attack = Callable[..., Any]


@pytest.fixture(params=["landlock", "bubblewrap"])
def level(request, monkeypatch) -> str:
    """Each level that this machine has, by itself."""
    if request.param == "landlock" and sandbox.level() != "landlock":
        pytest.skip("this kernel has no Landlock for networks")
    if request.param == "bubblewrap" and not bubblewrap.works():
        pytest.skip("bubblewrap is not usable here")
    monkeypatch.setattr(sandbox, "level", lambda: request.param)
    return request.param


@pytest.fixture
def scene(tmp_path: Path, monkeypatch) -> Iterator[dict[str, str]]:
    """A neighbour's secret, listeners that nobody may reach, and a secret in our environment."""
    monkeypatch.setenv("ETLFABRIC_ENCRYPTION_KEYS", MARK)
    secret = tmp_path / "profiles.yml"
    secret.write_text(MARK)
    with (
        socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as tcp,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as local,
        socket.socket(socket.AF_UNIX) as abstract,
        scratch.folder() as short,
    ):
        port = tcp.getsockname()[1]
        udp.bind(("", port))
        local.bind(str(short / "s"))
        abstract.bind("\0" + MARK)
        listeners = (tcp, udp, local, abstract)
        for one in (tcp, local, abstract):
            one.listen()
        yield {
            "secret": str(secret),
            "drop": str(tmp_path / "dropped"),
            "folder": str(tmp_path),
            "pid": str(os.getpid()),
            "port": str(port),
            "free": str(free_port()),
            "unix": str(short / "s"),
            "abstract": MARK,
            "server": server.ensure(),
        }
        for one in listeners:
            one.settimeout(0)
            with pytest.raises(BlockingIOError):
                one.recvfrom(1) if one is udp else one.accept()


@pytest.fixture
def attack(level: str, scene: dict[str, str], tmp_path: Path) -> Iterator[Attack]:
    """Run programs in one child; afterwards nothing outside of its folder has changed."""
    work_dir = tmp_path / "work"
    policy = Policy(work_dir, wall_seconds=60)
    before, signals = surroundings(tmp_path), []
    handlers = {
        number: signal.signal(number, lambda got, _: signals.append(got))
        for number in (signal.SIGIO, signal.SIGUSR1, signal.SIGTERM)
    }

    def run(programs: dict[str, str], **limits: Any) -> dict[str, str]:
        work_dir.mkdir()
        written = {name: PRELUDE + armed(text, scene) for name, text in programs.items()}
        try:
            done = sandbox.call(selftest.execute, written, policy=replace(policy, **limits))
            assert not [path for path in work_dir.rglob("*") if path.is_symlink()]
            return dict(done)
        finally:
            scratch.clear(work_dir)

    yield run
    assert surroundings(tmp_path) == before
    assert signals == []
    for number, handler in handlers.items():
        signal.signal(number, handler)


def armed(program: str, scene: dict[str, str]) -> str:
    for name, value in scene.items():
        program = program.replace(f"<{name}>", value)
    return program


def surroundings(tmp_path: Path) -> list[str]:
    """Names and contents around the child's folder, and what is named like an escape elsewhere."""
    around = [f"{path}: {path.read_text()}" for path in tmp_path.iterdir() if path.is_file()]
    left = [str(path) for folder in SHARED for path in folder.glob("*etlfabric-escape*")]
    return sorted(around + left)


@pytest.mark.feature("A19")
def test_escapes_are_refused(attack: Attack) -> None:
    done = attack(REFUSED)
    assert set(done) == set(REFUSED)
    assert {name: said for name, said in done.items() if said.startswith("done")} == {}
    assert len(REFUSED) >= 40


def test_the_escapes_fail_for_the_right_reason(attack: Attack, level: str) -> None:
    """A program with a mistake in it would be refused as well."""
    mistakes = ("NameError", "SyntaxError", "AttributeError", "TypeError", "ModuleNotFoundError")
    done = attack(REFUSED)
    assert {name: said for name, said in done.items() if said in mistakes} == {}


@pytest.mark.feature("A19")
def test_nothing_is_to_be_seen(attack: Attack) -> None:
    for name, said in attack(LOOKING).items():
        assert said.startswith("done"), name
        assert MARK not in said, name


@pytest.mark.feature("A19")
def test_every_call_of_the_list_is_refused(attack: Attack) -> None:
    here = [name for name, numbers in forbidden.FORBIDDEN.items() if numbers[seccomp.column()]]
    refused = attack({name: f"call('{name}', 0, 0, 0, 0, 0)" for name in here})
    assert {name: said for name, said in refused.items() if said != "PermissionError"} == {}


@pytest.mark.feature("A19")
@pytest.mark.parametrize("name", GREEDY)
def test_the_greedy_are_stopped(name: str, attack: Attack, level: str) -> None:
    if level == "bubblewrap" and not EVERYTHING and list(GREEDY).index(name) % 4:
        pytest.skip("every fourth is enough; ETLFABRIC_ESCAPES=all runs it")
    program, reason = GREEDY[name]
    started = time.monotonic()
    try:
        said = attack({name: program}, **(SMALL if "seconds" in reason else SMALL | PATIENT))[name]
    except TerminalError as error:
        said = error.message
    assert re.search(reason, said), said
    assert not said.startswith("done")
    assert time.monotonic() - started < 60
    assert busy_children() == []


def busy_children() -> list[int]:
    """What still runs of sandboxed code, after a moment to end."""
    deadline = time.monotonic() + 10
    while True:
        running = [one.pid for one in psutil.Process().children(recursive=True) if is_child(one)]
        if not running or time.monotonic() > deadline:
            return running
        time.sleep(0.05)


def is_child(process: psutil.Process) -> bool:
    """A forked child has the command line of its fork server, which is our own child."""
    try:
        words = " ".join(process.cmdline())
        forked = "sandbox.server" in words and process.ppid() != os.getpid()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False  # it has ended
    return forked or "etlfabric_core.sandbox.child" in words


@pytest.mark.feature("A19")
def test_answers_are_not_believed(attack: Attack, caplog) -> None:
    """A child that speaks the sandbox's own language can only lie about itself."""
    frames = (
        '{"log": ["uvicorn.access", 50, "forged\\\\u001b[2J"]}',
        '{"log": ["x", "y"]}',
        "[" * 100_000,
        '{"problems": 1}',
        '{"error": {"error": "not_found", "message": ["%s"], "problems": [1, {"line": "x"}]}}',
    )
    text = "\\n".join(frames)
    # The attack does not know the answer's descriptor and tries them all: a closed one is no end.
    program = (
        f"for fd in range(3, 4096):\n  try: os.write(fd, b'''{text}\\n''')\n  except OSError: pass"
    )
    with pytest.raises(TerminalError) as told:
        attack({"lies": program})
    assert told.value.body()["error"] == "terminal"
    assert {record.name for record in caplog.records if "forged" in record.message} == {
        "etlfabric_core.sandbox"
    }
    assert "\x1b" not in caplog.text


def test_a_pickle_is_no_answer(attack: Attack, scene) -> None:
    program = f"""
import pickle
class Bomb:
    def __reduce__(self):
        return open, ({scene["drop"]!r}, 'w')
for fd in range(3, 4096):
    try:
        os.write(fd, pickle.dumps(Bomb()) + b'\\n')
    except OSError:
        pass  # a closed descriptor is no end of the attack: the answer's may be the next
os._exit(0)
"""
    with pytest.raises(TerminalError, match="without an answer"):
        attack({"bomb": program})
    assert not Path(scene["drop"]).exists()
