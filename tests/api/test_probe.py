"""How the child of a probe ends: with its answer, or with a word about how it died."""

import subprocess
import sys

import pytest

from etlfabric_core.errors import TerminalError
from etlfabric_core.services import probe

LINGERING = """
import threading
from etlfabric_core.services import probe_child
never = threading.Event()
probe_child.QUESTIONS["test"] = lambda *_: threading.Thread(target=never.wait).start()
probe_child.main()
"""
QUESTION = b'{"question": "test", "endpoint": {"connector": "csv", "config": {}}, "files": {}, '
QUESTION += b'"arguments": {}}'


def test_a_child_ends_with_its_answer_whatever_the_threads_of_a_library_do() -> None:
    child = subprocess.run(
        [sys.executable, "-c", LINGERING], input=QUESTION, capture_output=True, timeout=30
    )
    assert (child.returncode, child.stdout) == (0, b'{"answer": null}')


async def test_a_child_that_dies_without_a_word_is_told_with_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "ENVIRONMENT", {**probe.ENVIRONMENT, "PYTHONHOME": "/nowhere"})
    with pytest.raises(TerminalError, match=r"ended without an answer \(status 1\)"):
        await probe._child(QUESTION, 30)


def test_a_child_begins_without_the_drivers_of_every_source() -> None:
    """What it imports before it knows the question, every answer waits for."""
    code = (
        "import sys, etlfabric_core.services.probe_child, etlfabric_core.extract_load.preview\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    drivers = {"sqlalchemy", "pymysql", "psycopg", "httpx", "requests", "duckdb", "pyarrow"}
    assert not drivers & set(found.stdout.split())
    assert not {"dlt", "sqlglot"} & set(found.stdout.split())
