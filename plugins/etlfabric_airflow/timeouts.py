"""A hard time limit on a block of Python, kind to a timer that is already running."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OutOfTime(BaseException):
    """A block took longer than it was given. Not an Exception, so that no library swallows it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the block after `seconds`.

    Airflow guards imports with the same timer: it is saved and re-armed with what is left of it.
    Outside the main thread, where there are no signals, there is no limit.

    Raises:
        OutOfTime: the block took too long.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise OutOfTime(f"took longer than {seconds:g} s")

    began = time.monotonic()
    outer_handler = signal.signal(signal.SIGALRM, interrupt)
    outer_left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, outer_handler)
        if outer_left:
            left = outer_left - (time.monotonic() - began)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001))
