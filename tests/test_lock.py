"""The lock file says exactly what is installed: one version of each package, known by its bytes."""

import re
from pathlib import Path

import pytest

LOCK = (Path(__file__).parents[1] / "requirements.txt").read_text()
PACKAGE = r"[A-Za-z0-9][A-Za-z0-9._-]*==\S+( ; .+?)?"
ENTRY = re.compile(PACKAGE + r"( \\\n    --hash=sha256:[0-9a-f]{64})+")


@pytest.mark.feature("A20")
def test_every_package_is_locked_by_version_and_hash() -> None:
    lines = [line for line in LOCK.splitlines() if not line.lstrip().startswith("#")]
    entries = re.split(r"\n(?=\S)", "\n".join(lines))
    assert len(entries) > 100
    assert [entry for entry in entries if not ENTRY.fullmatch(entry)] == []
