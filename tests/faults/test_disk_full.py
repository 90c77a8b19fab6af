"""No space left: in the work directory, and at the destination. A real disk, and a real ENOSPC.

The load says so, leaves nothing behind, and ends exact when there is space again.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from cli.stack.postgres import EmbeddedPostgres
from cli.stack.privileges import unprivileged_user
from etlfabric_core.errors import TransientError
from tests.faults.places import HOW, PATHS, WAYS, fill, is_exact, load_plan
from tests.loading import Warehouse, csv_source, new_warehouse, plan, run

ROWS = 40_000
MIB = 1 << 20
SIZE_MIB = 64

pytestmark = pytest.mark.feature("C12")


class SmallDisk:
    """A disk of its own, and a file that fills it as far as wanted."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._filler = place / "filler"

    def leave(self, free_bytes: int) -> None:
        """Fills it until only so much is free."""
        self._filler.unlink(missing_ok=True)
        free = shutil.disk_usage(self.place).free
        with self._filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free - free_bytes)

    def clear(self) -> None:
        """Frees it."""
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield SmallDisk(place)
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def source(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        fill(made, ROWS)
        yield made


@pytest.mark.parametrize(("how", "path"), WAYS)
def test_the_work_directory_is_full(postgres, source, disk, how, path):
    work = disk.place / "work"
    with new_warehouse(postgres) as warehouse:
        run(load_plan(warehouse, source, "early", how, **PATHS[path]), work, {}, 1)
        disk.leave(MIB)
        whole = load_plan(warehouse, source, "everything", how, **PATHS[path])
        with pytest.raises(TransientError, match="No space left on device") as caught:
            run(whole, work, {}, 2)
        print(caught.value.message, "/", caught.value.hint)
        assert "free space" in (caught.value.hint or "")
        assert list(work.iterdir()) == []
        assert is_exact(warehouse, source, "early")
        disk.clear()
        run(whole, work, {}, 3)
        assert is_exact(warehouse, source)


def test_rejected_rows_fill_the_work_directory(postgres, disk, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("n,v\n" + "".join(f"x,{n:0100}\n" for n in range(20_000)))
    files = {"t.csv": path}
    resource = {"name": "t", "source": "t.csv", "columns": {"n": {"type": "integer"}}}
    quarantined = {**resource, "on_bad_row": "quarantine", "max_rejected": 50_000}
    with new_warehouse(postgres) as warehouse:
        load = plan(warehouse, csv_source(files), quarantined)
        disk.leave(MIB)
        with pytest.raises(TransientError, match="No space left on device"):
            run(load, disk.place / "work", files, 1)
        disk.clear()
        result = run(load, disk.place / "work", files, 2)
        assert result.tables[0].rejected == warehouse.count("t__rejected") == 20_000


@pytest.mark.parametrize("how", HOW)
def test_the_destination_is_full(postgres, source, disk, tmp_path, how):
    with small_tablespace(postgres, disk) as options, new_warehouse(postgres, options) as warehouse:
        run(load_plan(warehouse, source, "early", how), tmp_path / "work", {}, 1)
        warehouse.execute("checkpoint")
        disk.leave(MIB)
        whole = load_plan(warehouse, source, "everything", how)
        with pytest.raises(TransientError, match="No space left on device") as caught:
            run(whole, tmp_path / "work", {}, 2)
        print(caught.value.message, "/", caught.value.hint)
        assert "free space" in (caught.value.hint or "")
        disk.clear()
        assert is_exact(warehouse, source, "early") or how == "append"
        run(whole, tmp_path / "work", {}, 3)
        assert is_exact(warehouse, source)
        assert warehouse.count("_etlfabric_load") == 0


@contextmanager
def small_tablespace(server: EmbeddedPostgres, disk: SmallDisk) -> Iterator[str]:
    """Words of CREATE DATABASE for one that lies on the disk."""
    place = disk.place / "tablespace"
    place.mkdir()
    if (user := unprivileged_user()) is not None:
        os.chown(place, *user)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f"create tablespace small location '{place}'".encode())
        try:
            yield "tablespace small"
        finally:
            connection.execute("drop tablespace small")
