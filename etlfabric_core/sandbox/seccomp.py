"""A system-call filter for what Landlock does not see: processes, signals, UDP, ownership."""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator

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
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, (16, 24, 32)
_CLONE_THREAD = 0x00010000
_INET = (2, 10)
_STREAM = 1
_X32 = 0x40000000

# name → number on x86_64, on aarch64 (None: the call does not exist there)
_FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    # other programs and processes
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setpriority": (141, 140),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "process_madvise": (440, 440),
    # memory and messages that processes share
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    # ownership and rights of files, which Landlock leaves alone
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    # namespaces, mounts, the kernel
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
}
_CLONE3 = 435
# call → numbers; these are allowed with certain arguments only
_SOCKET, _CLONE, _PRLIMIT, _TGKILL = (41, 198), (56, 220), (302, 261), (234, 131)
_AUDIT_ARCHITECTURE = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

Instruction = tuple[int, int, int, int]


def available() -> bool:
    """Whether the filter is written for this processor."""
    return platform.system() == "Linux" and platform.machine() in _AUDIT_ARCHITECTURE


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
    column, architecture = _AUDIT_ARCHITECTURE[platform.machine()]
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield _JUMP_EQUAL, 1, 0, architecture
    yield _deny()
    yield _LOAD, 0, 0, _NUMBER
    yield _JUMP_AT_LEAST, 0, 1, _X32
    yield _deny()
    yield from _when(_CLONE3, [_deny(errno.ENOSYS)])  # the C library then uses clone
    yield from _when(_SOCKET[column], _socket_check())
    yield from _when(_CLONE[column], _argument(0, [(_JUMP_ANY_BIT, 1, 0, _CLONE_THREAD), _deny()]))
    yield from _when(_PRLIMIT[column], _argument(0, [*_equals(0, pid), _deny()]))
    yield from _when(_TGKILL[column], _argument(0, [*_equals(pid), _deny()]))
    for numbers in _FORBIDDEN.values():
        if (number := numbers[column]) is not None:
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


def _socket_check() -> list[Instruction]:
    """Only TCP: address family IPv4 or IPv6, type stream."""
    return [
        *_argument(0, [*_equals(*_INET), _deny()]),
        *_argument(1, [(_AND, 0, 0, 0xF), *_equals(_STREAM), _deny()]),
    ]


def _deny(error: int = errno.EPERM) -> Instruction:
    return _RETURN, 0, 0, _ERRNO | error
