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
