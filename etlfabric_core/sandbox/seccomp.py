"""A system-call filter for what Landlock does not see: processes, signals, UDP, ownership."""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator

from etlfabric_core.sandbox.forbidden import FORBIDDEN

_PR_SET_SECCOMP, _FILTER_MODE = 22, 2
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _AND, _RETURN = (
    0x20,
    0x15,
    0x35,
    0x45,
    0x54,
    0x06,
)
_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, (16, 24, 32, 40)
_CLONE_THREAD = 0x00010000
_INET = (2, 10)
_STREAM = 1
_PROTOCOLS = (0, 6)  # not MPTCP and the like, which Landlock does not see
_X32 = 0x40000000

_CLONE3 = 435
# call → numbers; these are allowed with certain arguments only
_SOCKET, _SOCKETPAIR = (41, 198), (53, 199)
_CLONE, _PRLIMIT, _TGKILL = (56, 220), (302, 261), (234, 131)
_OPEN, _OPENAT, _OPENAT2 = (2, None), (257, 56), 437
_SENDTO, _SENDMSG, _SENDMMSG = (44, 206), (46, 211), (307, 269)
_FAST_OPEN = 0x20000000  # connects without a connect, which Landlock does not see
_PRCTL, _IOCTL = (157, 167), (16, 29)
_NAMELESS = 0o20000000  # O_TMPFILE without O_DIRECTORY: a file that no look into a folder finds
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_AUDIT_ARCHITECTURE = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

Instruction = tuple[int, int, int, int]


def available() -> bool:
    """Whether the filter is written for this processor."""
    return platform.system() == "Linux" and platform.machine() in _AUDIT_ARCHITECTURE


def column() -> int:
    """Which number of a call is this processor's: the first is x86_64's, the second aarch64's."""
    return _AUDIT_ARCHITECTURE[platform.machine()][0]


def restrict() -> None:
    """Install the filter in this process. It needs no_new_privs.

    Raises:
        OSError: the kernel refused.
    """
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in _program(os.getpid()))
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: count, padding, pointer
    program = struct.pack("=H6xQ", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _FILTER_MODE, ctypes.c_char_p(program), 0, 0):
        raise OSError(ctypes.get_errno(), "the system-call filter was refused")


def _program(pid: int) -> Iterator[Instruction]:
    own, architecture = _AUDIT_ARCHITECTURE[platform.machine()]
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield _JUMP_EQUAL, 1, 0, architecture
    yield _deny()
    yield _LOAD, 0, 0, _NUMBER
    yield _JUMP_AT_LEAST, 0, 1, _X32
    yield _deny()
    yield from _when(_CLONE3, [_deny(errno.ENOSYS)])  # the C library then uses clone
    yield from _when(_OPENAT2, [_deny(errno.ENOSYS)])  # its flags cannot be seen from here
    yield from _when(_SOCKET[own], _socket_check())
    yield from _when(_SOCKETPAIR[own], _argument(1, _stream_only()))
    for call, flags in ((_OPEN[own], 1), (_OPENAT[own], 2)):
        if call is not None:
            yield from _when(call, _argument(flags, _named()))
    for call, flags in ((_SENDTO[own], 3), (_SENDMSG[own], 2), (_SENDMMSG[own], 3)):
        yield from _when(call, _argument(flags, [(_JUMP_ANY_BIT, 0, 1, _FAST_OPEN), _deny()]))
    yield from _when(_PRCTL[own], _argument(0, _none_of(_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE)))
    yield from _when(_IOCTL[own], _argument(1, _none_of(_TIOCSTI, _TIOCLINUX)))
    yield from _when(_CLONE[own], _argument(0, [(_JUMP_ANY_BIT, 1, 0, _CLONE_THREAD), _deny()]))
    yield from _when(_PRLIMIT[own], _argument(0, [*_equals(0, pid), _deny()]))
    yield from _when(_TGKILL[own], _argument(0, [*_equals(pid), _deny()]))
    for numbers in FORBIDDEN.values():
        if (number := numbers[own]) is not None:
            yield from _when(number, [_deny()])
    yield _RETURN, 0, 0, _ALLOW


def _when(number: int, body: list[Instruction]) -> list[Instruction]:
    """Run `body` (which ends the program or falls into an allow) for one system call."""
    if body[-1][0] != _RETURN or len(body) > 1:
        body = [*body, (_RETURN, 0, 0, _ALLOW)]
    return [(_JUMP_EQUAL, 0, len(body), number), *body]


def _argument(index: int, checks: list[Instruction]) -> list[Instruction]:
    """Load the low half of an argument, then check it."""
    return [(_LOAD, 0, 0, _ARGUMENT[index]), *checks]


def _equals(*values: int) -> list[Instruction]:
    """Skip the refusal that follows when the loaded value is one of these."""
    return [
        (_JUMP_EQUAL, len(values) - position, 0, value) for position, value in enumerate(values)
    ]


def _none_of(*values: int) -> list[Instruction]:
    """Refuse when the loaded value is one of these."""
    return [one for value in values for one in ((_JUMP_EQUAL, 0, 1, value), _deny())]


def _socket_check() -> list[Instruction]:
    """Only TCP over IPv4 or IPv6."""
    return [
        *_argument(0, [*_equals(*_INET), _deny()]),
        *_argument(1, _stream_only()),
        *_argument(2, [*_equals(*_PROTOCOLS), _deny()]),
    ]


def _named() -> list[Instruction]:
    return [(_JUMP_ANY_BIT, 0, 1, _NAMELESS), _deny(errno.EOPNOTSUPP)]


def _stream_only() -> list[Instruction]:
    """A datagram socket, even one of a pair, could be pointed at any local socket."""
    return [(_AND, 0, 0, 0xF), *_equals(_STREAM), _deny()]


def _deny(error: int = errno.EPERM) -> Instruction:
    return _RETURN, 0, 0, _ERRNO | error
