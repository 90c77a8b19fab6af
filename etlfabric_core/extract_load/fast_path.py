"""Rows as files that the destination copies: dlt passes them on without a look at any value.

From PostgreSQL to PostgreSQL they are what the source sent, in binary; only where every column's
type is the same on both sides, so that the bytes of a value mean the same there. All others are
written as text, which the destination reads by the types of its columns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etlfabric_core.extract_load.copy_files import (
    FILE_BYTES,
    CopyColumn,
    CopyFile,
    CopyFileWriter,
    CopyTarget,
    read_header,
)
from etlfabric_core.extract_load.copy_text import blocks
from etlfabric_core.extract_load.source_table import SourceColumn

if TYPE_CHECKING:
    import dlt
    import pyarrow

LOAD_COLUMN = CopyColumn("_dlt_load_id", "character varying(64)")
# Types whose values have the same bytes, though their names differ.
ALIKE = {"character varying": "text"}


def is_open(columns: Sequence[SourceColumn]) -> bool:
    """Whether these columns can pass; a table of another pipeline has marks of its own."""
    return not any(column.name.startswith("_dlt") for column in destination_columns(columns))


def destination_columns(columns: Sequence[SourceColumn]) -> tuple[CopyColumn, ...]:
    """The columns as they are called at the destination, with the types that they have there."""
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    naming = NamingConvention(63)
    return tuple(
        CopyColumn(str(naming.normalize_identifier(column.name)), column.destination_type or "text")
        for column in columns
    )


def other_types(columns: Sequence[CopyColumn], found: Mapping[str, str]) -> list[str]:
    """Those of the columns whose bytes would mean something else in the table that was found."""
    return [
        column.name
        for column in columns
        if _bytes_of(found.get(column.name, column.type)) != _bytes_of(column.type)
    ]


def _bytes_of(type_: str) -> str:
    return ALIKE.get(type_, type_)


def target(columns: Sequence[SourceColumn], folder: Path) -> CopyTarget:
    """Files of this load, in a folder of their own."""
    import dlt

    folder.mkdir(parents=True, exist_ok=True)
    load_id = dlt.current.load_package_state()["load_id"]
    return CopyTarget(folder, destination_columns(columns), LOAD_COLUMN, load_id)


def text_files(batches: "Iterable[pyarrow.Table]", target: CopyTarget) -> Iterator[CopyFile]:
    """The rows as files of text, of about `FILE_BYTES`; none when there is no row."""
    written = _lines(batches, target.load_id)
    number = 0
    while (lines := next(written, None)) is not None:
        number += 1
        path = target.folder / f"{number}.copy"
        with CopyFileWriter(path, target.all_columns, is_text=True) as writer:
            rows, size = 0, 0
            while lines is not None:
                count, parts = lines
                rows += count
                size += sum(map(writer.write, parts))
                lines = next(written, None) if size < FILE_BYTES else None
            yield writer.finish(rows)


def _lines(
    batches: "Iterable[pyarrow.Table]", constant: str
) -> Iterator[tuple[int, list[memoryview]]]:
    """How many rows each batch has, and these as text; made while the next batch is read."""

    def made(batch: "pyarrow.Table") -> tuple[int, list[memoryview]]:
        return batch.num_rows, list(blocks(batch, constant))

    former: Future[tuple[int, list[memoryview]]] | None = None
    with ThreadPoolExecutor(1) as pool:
        for batch in batches:
            current = pool.submit(made, batch) if batch.num_rows else None
            if former is not None:
                yield former.result()
            former = current
        if former is not None:
            yield former.result()


def imported(files: Iterable[CopyFile]) -> Iterator[Any]:
    """Files as items that dlt takes over."""
    import dlt

    for file in files:
        item = dlt.mark.with_file_import(str(file.path), "csv", file.rows)
        item.meta.metrics = item.meta.metrics._replace(file_size=file.size_bytes)
        yield item
        file.path.unlink()  # dlt has a link to it of its own


def normalized_rows(pipeline: "dlt.Pipeline", load_ids: Sequence[str]) -> dict[str, int]:
    """Rows per table in the files of packages that wait to be loaded, as each file says itself.

    dlt passes the files on without a look, and so does not count what is in them.
    """
    rows: dict[str, int] = {}
    for load_id in load_ids:
        for job in pipeline.get_load_package_info(load_id).jobs["new_jobs"]:
            if job.job_file_info.file_format == "csv":
                with Path(job.file_path).open("rb") as file:
                    count = read_header(file).rows
                table = job.job_file_info.table_name
                rows[table] = rows.get(table, 0) + count
    return rows
