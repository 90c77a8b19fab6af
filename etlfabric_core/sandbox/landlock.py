"""Landlock through ctypes: which files and TCP ports this process may still use."""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

NETWORK_ABI = 4  # the first that limits TCP ports

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_PR_SET_NO_NEW_PRIVS = 38
_VERSION_FLAG = 1
_PATH_RULE, _PORT_RULE = 1, 2

_FILE = {"execute": 0, "write": 1, "read": 2, "truncate": 14, "ioctl_dev": 15}
_DIRECTORY = {"read_dir": 3, "remove_dir": 4, "remove_file": 5, "make_dir": 7, "make_reg": 8}
_REFER = 13
_LAST_RIGHT_OF_ABI = {1: 12, 2: 13, 3: 14, 4: 14}  # from 5 on: 15
_CONNECT_TCP = 1 << 1
_BIND_AND_CONNECT = 0b11
_SCOPES = 0b11  # abstract UNIX sockets, signals
_SCOPE_ABI = 6

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("fs", ctypes.c_uint64),
        ("net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("access", ctypes.c_uint64), ("fd", ctypes.c_int32))


class _PortRule(ctypes.Structure):
    _fields_ = (("access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """The kernel's Landlock ABI; 0 when it has none."""
    try:
        version: int = _libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    except AttributeError:  # not Linux
        return 0
    return max(version, 0)


def restrict(read: Iterable[Path], write: Iterable[Path], ports: Iterable[int]) -> None:
    """Take everything but these from this process, for good. Nothing may be executed.

    Raises:
        OSError: the kernel refused.
    """
    version = abi()
    handled = (1 << (_LAST_RIGHT_OF_ABI.get(version, 15) + 1)) - 1
    scoped = _SCOPES if version >= _SCOPE_ABI else 0
    attributes = _Ruleset(handled, _BIND_AND_CONNECT, scoped)
    size = ctypes.sizeof(attributes) if scoped else 16
    ruleset = _call(_CREATE_RULESET, ctypes.byref(attributes), ctypes.c_size_t(size), 0)
    readable = _bits("read", "read_dir")
    writable = readable | _bits("write", "truncate", *_DIRECTORY) | 1 << _REFER
    for path in read:
        _allow_path(ruleset, path, readable & handled)
    for path in write:
        _allow_path(ruleset, path, writable & handled)
    for port in ports:
        rule = _PortRule(_CONNECT_TCP, port)
        _call(_ADD_RULE, ruleset, _PORT_RULE, ctypes.byref(rule), 0)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs was refused")
    _call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _bits(*rights: str) -> int:
    numbers = _FILE | _DIRECTORY
    return sum(1 << numbers[right] for right in rights)


def _allow_path(ruleset: int, path: Path, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not path.is_dir():
            access &= _bits(*_FILE)
        rule = _PathRule(access, fd)
        _call(_ADD_RULE, ruleset, _PATH_RULE, ctypes.byref(rule), 0)
    finally:
        os.close(fd)


def _call(number: int, *args: object) -> int:
    result: int = _libc.syscall(number, *args)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock call {number}: {os.strerror(error)}")
    return result
