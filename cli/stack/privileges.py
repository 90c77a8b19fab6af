"""What a child process is before it runs its program: mortal with its parent, never root.

PostgreSQL refuses to run as root. As root we therefore start it as `nobody`, which keeps two
capabilities: with them the directories above the data and the binaries may be closed to others.
"""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2
# Without it the kernel takes the capabilities away at the change of user, and access(2), which
# PostgreSQL uses to find its own programs, would not count them.
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def die_with_parent(sig: int = signal.SIGTERM) -> None:
    """Ask the kernel to send `sig` to this process when its parent ends, however it ends."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, int(sig), 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of every process below this one that loses its own."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def unprivileged_user() -> tuple[int, int] | None:
    """User and group ids for programs that refuse to be root; None where we are not root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def before_exec(sig: int, user: tuple[int, int] | None) -> Callable[[], None]:
    """A `preexec_fn`: another user where one is given, then mortal with the parent."""

    def prepare() -> None:
        if user is not None:
            _become(*user)
        die_with_parent(sig)  # last: a change of user clears it

    return prepare


def _become(uid: int, gid: int) -> None:
    """Change the user for good and keep only the capabilities that open directories."""
    _libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header, sets = _Header(CAPABILITY_VERSION_3, 0), (_Sets * 2)()
    if _libc.capget(ctypes.byref(header), ctypes.byref(sets)) != 0:
        return
    # A container's root may lack one of the two; what it lacks it cannot hand on.
    wanted = (1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH) & sets[0].permitted
    sets[0] = _Sets(wanted, wanted, wanted)
    sets[1] = _Sets(0, 0, 0)
    if _libc.capset(ctypes.byref(header), ctypes.byref(sets)) != 0:
        return
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if wanted & 1 << capability:
            _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)
