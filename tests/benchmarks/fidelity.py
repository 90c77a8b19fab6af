"""How many values change on the way without a word: the fidelity matrix, counted by cells."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import count
from pathlib import Path

from tests.benchmarks.report import Report
from tests.benchmarks.world import World
from tests.core.extract_load.fidelity_values import MAKE_TYPES
from tests.core.extract_load.test_fidelity_matrix import HOW, TYPES, cells, fill, load
from tests.loading import Warehouse, new_warehouse

TESTS = Path(__file__).parents[1] / "core" / "extract_load"
OTHER_SOURCES = ("test_mysql.py", "test_duckdb.py", "test_sql_sources.py")


def silent_changes(world: World, report: Report) -> None:
    """Every type and edge of its values, on every path and disposition.

    PostgreSQL is counted by cells; of other sources, whose values have to be written down one by
    one, a test that fails counts as one change.
    """
    changed = compared = 0
    epochs = count(1)
    with new_warehouse(world.source.server) as source:
        source.execute(MAKE_TYPES)
        for path, types in TYPES.items():
            table = f"types_{path.lower()}"
            fill(source, table, types)
            given = cells(source, table)
            for how in HOW.values():
                with new_warehouse(world.source.server) as target:
                    load(target, source, world.work_dir / "load", next(epochs), name=table, **how)
                    wrong, all_cells = _compared(given, target, table)
                changed, compared = changed + wrong, compared + all_cells
    failed, ran = _tests(world.work_dir / "fidelity.xml")
    report.add("silent_changes", changed + failed, "0", cells=compared, tests_of_other_sources=ran)


def _compared(given: list[tuple[str, ...]], target: Warehouse, table: str) -> tuple[int, int]:
    """Cells that differ, and all of them."""
    arrived = cells(target, table)
    if len(arrived) != len(given):
        raise RuntimeError(f"{table}: rows are missing")
    pairs = [
        pair
        for row, other in zip(given, arrived, strict=True)
        for pair in zip(row, other, strict=True)
    ]
    return sum(one != other for one, other in pairs), len(pairs)


def _tests(results: Path) -> tuple[int, int]:
    """Those that fail, and all that ran."""
    paths = [str(TESTS / name) for name in OTHER_SOURCES]
    command = [sys.executable, "-m", "pytest", *paths, "-q", "-k", "no_value_changes"]
    subprocess.run([*command, f"--junitxml={results}"], stdout=subprocess.DEVNULL, check=False)
    suite = ET.parse(results).getroot()[0]
    failed, ran, skipped = (int(suite.attrib[key]) for key in ("failures", "tests", "skipped"))
    return failed + int(suite.attrib["errors"]), ran - skipped
