"""`make features`: every row of docs/features.md with the tests that are marked for it."""

import io
import re
import sys
from collections import defaultdict
from contextlib import redirect_stdout
from pathlib import Path

import pytest

ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \|$", re.MULTILINE)
FEATURES = Path(__file__).resolve().parent.parent / "docs" / "features.md"


def promises() -> dict[str, str]:
    """Feature id → promise, in the order of the page."""
    return dict(ROW.findall(FEATURES.read_text()))


class Collector:
    """A pytest plugin that notes which tests carry which feature ids."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = defaultdict(list)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for marker in item.iter_markers("feature"):
                for feature in marker.args:
                    name = item.nodeid.split("[")[0]
                    if name not in self.tests[feature]:
                        self.tests[feature].append(name)


def main() -> int:
    """Print the report. Returns 1 when a test is marked for a row that does not exist."""
    collector = Collector()
    with redirect_stdout(io.StringIO()):
        status = pytest.main(["--collect-only", "-q"], [collector])
    if status != pytest.ExitCode.OK:
        print("the tests could not be collected; run `make test` to see why")
        return 1
    rows = promises()
    for feature, promise in rows.items():
        tests = collector.tests.get(feature, [])
        print(f"{feature:4} {'shown' if tests else '-----'}  {promise}")
        for test in tests:
            print(f"             {test}")
    shown = sum(feature in collector.tests for feature in rows)
    print(f"\n{shown} of {len(rows)} rows have tests")
    unknown = sorted(set(collector.tests) - set(rows))
    if unknown:
        print(f"marked, but not in docs/features.md: {', '.join(unknown)}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
