"""The fallback where the kernel has no Landlock for networks: a cold child inside bubblewrap."""

import functools
import shutil
import socket
import subprocess
import sys
from pathlib import Path

_TRY_SECONDS = 10
_READ_ONLY = ("/usr", "/lib", "/lib64", "/bin", "/etc/ssl", "/etc/localtime", "/etc/hosts")


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


def start(work_dir: Path) -> socket.socket:
    """Start a child and give the caller's end of its socket. Closing it ends the child's wait.

    The network is shared: bubblewrap has no way to open single ports.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        subprocess.Popen(  # noqa: S603
            _command(work_dir.resolve(), theirs.fileno()),
            env={},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
        )
    return ours


def _command(work_dir: Path, fd: int) -> list[str]:
    package = Path(__file__).parents[1]
    python = {sys.prefix, sys.base_prefix, str(package)}
    read = [path for path in (*_READ_ONLY, *sorted(python)) if Path(path).exists()]
    binds = [word for path in read for word in ("--ro-bind", path, path)]
    return [
        shutil.which("bwrap") or "bwrap",
        *("--unshare-all", "--share-net", "--die-with-parent", "--new-session", "--clearenv"),
        *("--cap-drop", "ALL"),
        # First the empty folders, then what shows through: the interpreter may lie below /tmp.
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108
        *binds,
        *("--bind", str(work_dir), str(work_dir)),
        *(sys.executable, "-I", "-m", "etlfabric_core.sandbox.child", str(fd)),
    ]
