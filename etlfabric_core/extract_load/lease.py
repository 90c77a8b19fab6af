"""The right to be the one writer of a pipeline, as the runner sees it."""

from typing import Protocol


class LeaseKeeper(Protocol):
    """Held by the task for as long as it runs. A higher epoch fences every lower one."""

    @property
    def epoch(self) -> int:
        """The number of this holder; it grows with every new one."""

    def check(self) -> None:
        """Whether the lease is still ours.

        Raises:
            TransientError: another holder took over, or the lease could not be renewed.
        """
