"""Identity providers that are programs for Node, each one a script of this folder."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.stack.ports import free_port

FOLDER = Path(__file__).parent


@contextmanager
def provider(script: str, package: str, given: Mapping[str, Any]) -> Iterator[str]:
    """The URL of a running provider; skips the test where Node or the package is not there.

    Args:
        script: reads one line of JSON, says `ready`, and stops when its input closes.
        package: what it is made with.
        given: goes into that line, with a free port.
    """
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / package).is_dir():
        pytest.skip(f"{package} is not there: npm --prefix tests/sso ci installs it")
    port = free_port()
    process = subprocess.Popen(
        [node, script],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps({**given, "port": port}) + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()
