"""No network in the sandbox: an empty network namespace, and one listener that leads out of it."""

import ctypes
import errno
import fcntl
import socket
import struct
import sys

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 0x1
_BACKLOG = 16

# What this process has: "none", "one port" (of any host) or "shared". For the operators' report.
in_force = "shared"


def leave() -> bool:
    """Move this process to a network namespace of its own, with nothing but a loopback in it.

    False where the kernel or a container forbids that. The process must have one thread.

    Raises:
        OSError: the loopback could not be switched on.
    """
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_USER | _NEW_NETWORK):
        if ctypes.get_errno() in (errno.EPERM, errno.ENOSPC, errno.EINVAL, errno.ENOSYS):
            return False
        raise OSError(ctypes.get_errno(), "no network namespace")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    return True


def give_gate(connection: socket.socket) -> int:
    """Listen on a loopback port and give the listening socket to the caller; the port.

    A socket belongs to the namespace where it was made, so the caller can answer there without
    being there.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        socket.send_fds(connection, [b"\n"], [listener.fileno()])
        port: int = listener.getsockname()[1]
        return port


def take_gate(connection: socket.socket) -> socket.socket | None:
    """The caller's side of `give_gate`; None when the child ended before."""
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
    return socket.socket(fileno=descriptors[0]) if descriptors else None
