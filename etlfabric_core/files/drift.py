"""How the header of a file differs from that of the one before it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

ALIKE = 0.75
SEPARATORS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Renamed:
    """A column that looks like one that is gone."""

    before: str
    after: str


@dataclass(frozen=True)
class Drift:
    """What changed. A renamed column is neither added nor missing."""

    added: tuple[str, ...]
    missing: tuple[str, ...]
    renamed: tuple[Renamed, ...]
    reordered: bool


def drift(before: Sequence[str], after: Sequence[str]) -> Drift:
    """The differences, in the order of the files."""
    missing = [name for name in before if name not in after]
    added = [name for name in after if name not in before]
    renamed = _renamed(missing, added)
    old, new = {one.before for one in renamed}, {one.after for one in renamed}
    shared = [name for name in before if name in after]
    return Drift(
        tuple(name for name in added if name not in new),
        tuple(name for name in missing if name not in old),
        tuple(sorted(renamed, key=lambda one: before.index(one.before))),
        shared != [name for name in after if name in shared],
    )


def _renamed(missing: Sequence[str], added: Sequence[str]) -> list[Renamed]:
    """Pairs of names that are much alike, the most alike first; each name in one pair only."""
    pairs = sorted(
        ((_likeness(old, new), old, new) for old in missing for new in added),
        key=lambda pair: (-pair[0], pair[1:]),
    )
    found: list[Renamed] = []
    for likeness, old, new in pairs:
        taken = any(one.before == old or one.after == new for one in found)
        if likeness >= ALIKE and not taken:
            found.append(Renamed(old, new))
    return found


def _likeness(old: str, new: str) -> float:
    before, after = (SEPARATORS.sub("", name).casefold() for name in (old, new))
    return 1.0 if before == after else SequenceMatcher(None, before, after).ratio()
