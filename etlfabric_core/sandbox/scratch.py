"""A private folder for a sandboxed call, which goes away whatever the call left in it."""

import logging
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def folder() -> Iterator[Path]:
    """A fresh folder of mode 0700.

    The system's `rm` follows no link and minds no depth; Python's rmtree ends at a thousand levels,
    which hostile code can make in no time.
    """
    path = Path(tempfile.mkdtemp(prefix="etlfabric-call-"))
    try:
        yield path
    finally:
        clear(path)


def clear(path: Path) -> None:
    """Remove the folder with all that is in it; what cannot be removed is logged and stays."""
    remove = ["rm", "-rf", "--", str(path)]
    if subprocess.run(remove, capture_output=True, check=False).returncode:  # noqa: S603
        subprocess.run(["chmod", "-R", "u+rwX", "--", str(path)], check=False)  # noqa: S603, S607
        again = subprocess.run(remove, capture_output=True, text=True, check=False)  # noqa: S603
        if again.returncode:
            logging.getLogger(__name__).warning("%s stays: %s", path, again.stderr[:1000])
