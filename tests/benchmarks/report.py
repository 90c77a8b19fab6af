"""How every benchmark tells its figures: a table, then one line of JSON."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil

from etlfabric_core.clock import now

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
PACKAGES = ("dlt", "duckdb", "psycopg", "pyarrow", "sqlalchemy")


@dataclass
class Report:
    """Figures of one run. `ratios` are what targets are set for; `anchors` are absolute."""

    bench: str
    seed: int = 0
    ratios: dict[str, float] = field(default_factory=dict)
    anchors: dict[str, float] = field(default_factory=dict)
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def ratio(
        self,
        name: str,
        target: str,
        *,
        ours: tuple[str, Sequence[float]],
        anchor: tuple[str, Sequence[float]],
        **measured: float,
    ) -> None:
        """How many times as fast as the anchor, of rounds in which both took their turn.

        The figure is that of the middle times, its spread that of the single rounds.
        """
        rounds = [one / other for one, other in zip(anchor[1], ours[1], strict=True)]
        middle = {label: median(seconds) for label, seconds in (anchor, ours)}
        value = middle[anchor[0]] / middle[ours[0]]
        spread = f"{min(rounds):.3g} to {max(rounds):.3g}"
        self.add(name, value, target, spread, **middle, **measured)

    def add(
        self, name: str, value: float, target: str, spread: str = "", **measured: float
    ) -> None:
        """One figure, what was promised, and the measurements that it is made of."""
        self.ratios[name] = round(value, 3)
        self.anchors |= {f"{name}.{key}": round(number, 3) for key, number in measured.items()}
        parts = ", ".join(f"{key} {number:,.6g}" for key, number in measured.items())
        self.rows.append((name, f"{value:.3g}", spread, target, parts))

    def finish(self, command: str) -> None:
        """Prints the table and the line; with `WRITE=1` also keeps them in docs/benchmarks.md."""
        header = ("figure", "reached", "rounds", "target", "measured")
        table = "\n".join(_lines([header, *self.rows]))
        sys.stdout.write(f"{table}\n{json.dumps(self._document())}\n")
        if os.environ.get("WRITE") == "1":
            versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
            with PAGE.open("a") as page:
                page.write(f"\n## {self.bench}, {now():%Y-%m-%d %H:%M} UTC\n\n")
                page.write(f"`{command}` on {_machine()}; {versions}\n\n{table}\n")

    def _document(self) -> Mapping[str, object]:
        known = {key: value for key, value in asdict(self).items() if key != "rows"}
        return {**known, "versions": _versions()}


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}


def _lines(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    load = os.getloadavg()[0]
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} cores, {memory:.0f} GiB, load {load:.1f} at the end"
