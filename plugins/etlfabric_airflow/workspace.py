"""Scratch space of tasks: a private folder per try, and a cache of files by their content."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from etlfabric_airflow.service import Service
from etlfabric_core.sandbox import scratch
from etlfabric_core.specs.context import RunRef

PRIVATE = 0o700
CACHE_DAYS = 7


def root() -> Path:
    """`ETLFABRIC_WORK_DIR`, made private to this user."""
    path = Path(os.environ["ETLFABRIC_WORK_DIR"])
    path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    return path


def _segment(name: str) -> str:
    """A run id may hold any of `.~:+-`, even be `..`: as a folder it must not climb.

    No `%` in it: dlt uses the path of its files as a template.
    """
    quoted = quote(name, safe="")
    climbing = quoted.replace(".", "%2E") if quoted.startswith(".") else quoted
    return climbing.replace("%", "=")


@contextmanager
def work_dir(run: RunRef, task_id: str) -> Iterator[Path]:
    """A fresh folder for one try; what older tries left behind is removed, and so is this."""
    task = root().joinpath(_segment(run.dag_id), _segment(run.run_id), _segment(task_id))
    scratch.clear(task)
    path = task / str(run.try_number)
    path.mkdir(mode=PRIVATE, parents=True)
    try:
        yield path
    finally:
        scratch.clear(task)
        for parent in list(task.parents)[:2]:
            _remove_empty(parent)


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # another task of the run, or another run, is at work in it


def cached(service: Service, url: str, sha256: str, dag_id: str) -> Path:
    """A file of the service on local disk, by its content hash.

    Raises:
        TransientError: the service is away or sent other bytes.
        TerminalError: the service refuses the file to this DAG.
    """
    folder = root() / "cache"
    folder.mkdir(mode=PRIVATE, exist_ok=True)
    _forget_unused(folder)
    path = folder / sha256
    if not path.exists():
        service.download(url, sha256, path, dag_id=dag_id)
    os.utime(path)
    return path


def _forget_unused(folder: Path) -> None:
    cutoff = time.time() - CACHE_DAYS * 24 * 3600
    for path in folder.iterdir():
        try:
            if path.stat().st_mtime < cutoff:
                path.unlink()
        except FileNotFoundError:
            continue  # another task was faster
