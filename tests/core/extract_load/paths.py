"""Which way rows took: as text, or as the bytes that the source sent."""

from typing import Any

import pytest
from pyarrow.parquet import ParquetFile

from etlfabric_core.extract_load.destinations.postgres import copy_jobs


def watched_formats(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How each file with rows is copied into the destination from now on."""
    used: list[str] = []
    copy = copy_jobs.CopyJob._copy

    def watched(job: Any, names: Any, options: str, stream: Any) -> None:
        is_text = "TEXT" in options
        is_parquet = job._file_path.endswith(".parquet")
        is_empty = is_parquet and ParquetFile(job._file_path).metadata.num_rows == 0
        if not is_empty and not job.load_table_name.startswith("_dlt"):
            used.append("TEXT" if is_text else "BINARY")
        copy(job, names, options, stream)

    monkeypatch.setattr(copy_jobs.CopyJob, "_copy", watched)
    return used
