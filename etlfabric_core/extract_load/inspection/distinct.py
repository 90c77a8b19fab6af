"""How many different values there are, from the smallest hashes that were met."""

from collections.abc import Iterable
from dataclasses import dataclass, field

KEPT = 1024
HASHES = 2**64


@dataclass
class Distinct:
    """Counts exactly below `KEPT` values; above, the estimate is off by some 3 %."""

    smallest: list[int] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether the count is no estimate."""
        return len(self.smallest) < KEPT

    @property
    def bound(self) -> int:
        """Only hashes up to this one can change the count."""
        return HASHES - 1 if self.is_exact else self.smallest[-1]

    @property
    def count(self) -> int:
        """How many different hashes there were."""
        if self.is_exact:
            return len(self.smallest)
        return round((KEPT - 1) * HASHES / self.smallest[-1])

    def add(self, hashes: Iterable[int]) -> None:
        """Takes in the hashes of more values."""
        self.smallest = sorted({*self.smallest, *hashes})[:KEPT]
