"""The tables that a load meets at PostgreSQL: their columns, types and rows."""

from dataclasses import replace
from pathlib import Path

from etlfabric_core.extract_load import fast_path
from etlfabric_core.extract_load.destinations.postgres.fencing import WriterSession, qualified
from etlfabric_core.extract_load.planned_table import PlannedTable
from etlfabric_core.extract_load.source_table import SourceTable
from etlfabric_core.graph.resources import DELETED_AT
from etlfabric_core.slugs import STAGING_SUFFIX

COLUMNS = """
select attname, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
"""


def present(session: WriterSession, table: str) -> dict[str, str]:
    """Columns and types of a table of the dataset; none when it is not there."""
    name = qualified(session.writer, table)
    return dict(session.connection.execute(COLUMNS, [name]).fetchall())


def target_rows(session: WriterSession, table: PlannedTable) -> int:
    """Without rows that are marked as deleted, and former versions."""
    there = present(session, table.name)
    if not there:
        return 0
    marks = [DELETED_AT] if table.config.deletes == "soft" else []
    marks += ["_dlt_valid_to"] if table.config.is_historized else []
    conditions = " and ".join(["true", *(f'"{mark}" is null' for mark in marks if mark in there)])
    name = qualified(session.writer, table.name)
    found = session.connection.execute(f"select count(*) from {name} where {conditions}")  # noqa: S608
    return int((found.fetchone() or (0,))[0])


def on_its_path(session: WriterSession, table: PlannedTable, folder: Path) -> PlannedTable:
    """The table, with how its rows travel: through dlt, or as files of COPY's own formats."""
    if table.followed_cursor:
        table = replace(table, is_absent=not present(session, table.name))
    if table.is_watched or not fast_path.is_open(table.columns):
        return table
    is_binary = table.is_unchanged and _is_binary(session, table.source, table.name)
    return replace(table, copy_folder=folder / table.name, is_binary=is_binary)


def _is_binary(session: WriterSession, source: SourceTable, table: str) -> bool:
    """Whether the destination takes the rows of `source` in binary as its table `table`."""
    if source.copy is None:
        return False
    columns = (*fast_path.destination_columns(source.columns), fast_path.LOAD_COLUMN)
    dataset = session.writer.dataset
    for schema in (dataset, dataset + STAGING_SUFFIX):
        found = session.connection.execute(COLUMNS, [f'"{schema}"."{table}"']).fetchall()
        if fast_path.other_types(columns, dict(found)):
            return False
    return True
