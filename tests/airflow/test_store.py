"""What the bundle keeps on disk, and what it forgets."""

import json
import os
import time
from pathlib import Path

import pytest
from etlfabric_airflow.store import KEEP_DAYS, KEEP_SPECS, Opening, Store, write_atomically
from sample_project import dag_spec


def test_old_specs_are_forgotten_but_never_the_one_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    long_ago = time.time() - (KEEP_DAYS + 1) * 24 * 3600
    write_atomically(store.receipt_file("acme.daily"), json.dumps({"seen": 25, "good": 2}).encode())
    for seq in range(1, KEEP_SPECS + 6):
        store.publish("acme.daily", seq, dag_spec(revision=seq))
        os.utime(store.spec_file("acme.daily", seq), (long_ago, long_ago))
    newest = KEEP_SPECS + 6
    store.publish("acme.daily", newest, dag_spec(revision=newest))
    assert store.spec_seqs("acme.daily") == [*range(newest, newest - KEEP_SPECS, -1), 2]


def test_recent_specs_stay_however_many_there_are(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seq in range(1, KEEP_SPECS + 11):
        store.publish("acme.daily", seq, dag_spec(revision=seq))
    assert len(store.spec_seqs("acme.daily")) == KEEP_SPECS + 10


@pytest.mark.parametrize(
    ("file", "seq"),
    [("/b/entries/acme.daily.py", None), ("/b/versions/17/entries/acme.daily.py", 17)],
)
def test_an_entry_knows_the_version_that_it_was_opened_at(file: str, seq: int | None) -> None:
    assert Opening.of(file) == Opening(Path("/b"), "acme.daily", seq)


def test_a_write_that_fails_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["file"]
