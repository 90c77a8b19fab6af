"""The fallback where the kernel has no Landlock for networks: a cold child inside bubblewrap."""

import functools
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_TRY_SECONDS = 10
_END_SECONDS = 5
_READ_ONLY = ("/usr", "/lib", "/lib64", "/bin", "/etc/ssl/certs", "/etc/localtime")
_EMPTY_BYTES = str(16 << 20)  # of folders in memory


@functools.cache
def works() -> bool:
    """Whether bubblewrap is installed and may make its namespaces here."""
    program = shutil.which("bwrap")
    if program is None:
        return False
    trial = [program, "--unshare-all", "--ro-bind", "/", "/", sys.executable, "-c", ""]
    try:
        tried = subprocess.run(trial, capture_output=True, timeout=_TRY_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0


@contextmanager
def started(work_dir: Path) -> Iterator[tuple[socket.socket, Callable[[], int | None]]]:
    """A child's connection, and what gives its wait status once it has ended.

    Leaving the block kills the child.
    """
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(  # noqa: S603
                _command(work_dir.resolve(), theirs.fileno()),
                env={},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        try:
            yield ours, lambda: _status(process)
        finally:
            process.kill()  # and the kernel then ends all that is in its process namespace
            process.wait()


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """As the kernel would say it: bubblewrap tells a signal as 128 and its number."""
    try:
        code = process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return 128 - code if code > 128 else code


def _command(work_dir: Path, fd: int) -> list[str]:
    package = Path(__file__).parents[1]
    python = {sys.prefix, sys.base_prefix, str(package)}
    read = [path for path in (*_READ_ONLY, *sorted(python)) if Path(path).exists()]
    binds = [word for path in read for word in ("--ro-bind", path, path)]
    empty = ("--size", _EMPTY_BYTES, "--tmpfs")
    return [
        shutil.which("bwrap") or "bwrap",
        *("--unshare-all", "--die-with-parent", "--new-session", "--clearenv"),
        *("--cap-drop", "ALL", "--hostname", "sandbox"),
        # First the empty folders, then what shows through: the interpreter may lie below /tmp.
        *("--proc", "/proc", "--dev", "/dev", *empty, "/tmp"),  # noqa: S108
        *binds,
        *("--bind", str(work_dir), str(work_dir)),
        *("--remount-ro", "/dev", "--remount-ro", "/tmp", "--remount-ro", "/"),  # noqa: S108
        *(sys.executable, "-I", "-m", "etlfabric_core.sandbox.child", str(fd)),
    ]
