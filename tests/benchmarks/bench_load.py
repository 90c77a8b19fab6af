"""How fast and in how much memory loads run, beside raw COPY and dlt as it comes.

`make bench-load`, or `python -m tests.benchmarks.bench_load [figure …]`. `ROWS` is the size of the
full loads, `MORE_ROWS` that of one more whose memory is measured, `ROUNDS` how often anchor and
load take turns; the middle one counts. Needs nothing but the embedded server, and MariaDB for one
figure.
"""

import sys
from collections.abc import Callable

from tests.benchmarks.fidelity import silent_changes
from tests.benchmarks.load_figures import (
    MORE_ROWS,
    ROUNDS,
    ROWS,
    csv_1gb,
    csv_calculated,
    csv_mapped,
    pg_full,
    sql_mariadb,
    sql_sqlite,
)
from tests.benchmarks.report import Report
from tests.benchmarks.small_figures import incremental_idle, merge_10k
from tests.benchmarks.world import World, new_world

FIGURES: dict[str, Callable[[World, Report], None]] = {
    "pg_full": pg_full,
    "sql_full_sqlite": sql_sqlite,
    "sql_full_mariadb": sql_mariadb,
    "csv_mapped": csv_mapped,
    "csv_calculated": csv_calculated,
    "csv_1gb": csv_1gb,
    "incremental_idle": incremental_idle,
    "merge_10k": merge_10k,
    "silent_changes": silent_changes,
}


def main(names: list[str]) -> None:
    """Measures the figures of those names, or all."""
    report = Report("load")
    with new_world() as world:
        for name in names or FIGURES:
            FIGURES[name](world, report)
    chosen = f" FIGURES='{' '.join(names)}'" if names else ""
    sizes = f"ROWS={ROWS} MORE_ROWS={MORE_ROWS} ROUNDS={ROUNDS}"
    report.finish(f"make bench-load {sizes}{chosen}")


if __name__ == "__main__":
    main(sys.argv[1:])
