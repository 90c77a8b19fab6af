"""A task dies with its supervisor: without it nobody would stop a second writer."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_INIT = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends.

    Raises:
        ProcessLookupError: the parent was gone already.
        OSError: the kernel refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # Between fork and prctl the parent may have died. Where it is adopted by a subreaper instead
    # of init, the next message to the supervisor fails, and with it the task.
    if os.getppid() == _INIT:
        raise ProcessLookupError("the supervisor of this task is gone")
