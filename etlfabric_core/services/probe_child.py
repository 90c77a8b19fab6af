"""The child of a probe: one question in, one answer out, within limits of time and memory."""

import json
import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.csv import CsvConfig, column_names, page
from etlfabric_core.connectors.files import find
from etlfabric_core.connectors.record import Grant, TableQuery, parse
from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.extract_load.plan import Endpoint, StateChange
from etlfabric_core.graph.resources import ResourceConfig

Question = Literal[
    "test",
    "redeem",
    "schemas",
    "tables",
    "columns",
    "existing",
    "preview",
    "profile",
    "draft",
    "upload",
    "inspect",
    "headers",
    "state",
    "change_state",
    "rejected",
]
Files = Mapping[str, Path]

TIME_LIMIT_S = 30
TIME_LIMITS_S = {"inspect": 120}  # of questions that read all of a large file
MEMORY_BYTES = 2 << 30
MOST_ALIKE = 10_000  # tables whose names hold the one that is looked for


def _test(endpoint: Endpoint, files: Files) -> Any:
    return asdict(get_connector(endpoint.connector).test(endpoint, files))


def _redeem(endpoint: Endpoint, files: Files, **grant: str) -> Any:
    consent = get_connector(endpoint.connector).consent
    return consent.redeem(endpoint, Grant(**grant)) if consent else {}


def _schemas(endpoint: Endpoint, files: Files) -> Any:
    return get_connector(endpoint.connector).browse.schemas(endpoint, files)


def _tables(endpoint: Endpoint, files: Files, *, after: list[str] | None, **query: Any) -> Any:
    asked = TableQuery(**query, after=(after[0], after[1]) if after else None)
    return asdict(get_connector(endpoint.connector).browse.tables(endpoint, files, asked))


def _columns(endpoint: Endpoint, files: Files, *, table: str) -> Any:
    found = get_connector(endpoint.connector).browse.columns(endpoint, files, table)
    return [asdict(column) for column in found]


def _existing(endpoint: Endpoint, files: Files, *, schema: str, table: str) -> Any:
    browse = get_connector(endpoint.connector).browse
    asked = TableQuery(schema=schema, search=table, limit=MOST_ALIKE, after=None)
    found = browse.tables(endpoint, files, asked).tables
    if all(one.name != table for one in found):
        return None
    columns = browse.columns(endpoint, files, f"{schema}.{table}")
    return {column.name: column.type for column in columns}


def _draft(endpoint: Endpoint, files: Files, *, resource: dict[str, Any], limit: int) -> Any:
    from etlfabric_core.extract_load.draft import shaped_preview

    config = ResourceConfig.model_validate(resource)
    return asdict(shaped_preview(endpoint, files, config, limit=limit))


def _preview(endpoint: Endpoint, files: Files, *, table: str, **bounds: int) -> Any:
    from etlfabric_core.extract_load.preview import preview

    return asdict(preview(endpoint, files, table, **bounds))


def _profile(endpoint: Endpoint, files: Files, *, table: str, key: list[str]) -> Any:
    from etlfabric_core.extract_load.profile import profile

    return asdict(profile(endpoint, files, table, key=key))


def _upload(endpoint: Endpoint, files: Files, *, offset: int, limit: int) -> Any:
    config = parse(CsvConfig, endpoint.config)
    (name,) = files
    path = find(files, name)
    rows = page(path, name, config, offset=offset, limit=limit + 1)
    return {
        "columns": column_names(path, name, config),
        "rows": rows[:limit],
        "complete": len(rows) <= limit,
    }


def _inspect(endpoint: Endpoint, files: Files, *, given: dict[str, Any]) -> Any:
    from etlfabric_core.extract_load.inspection import inspect
    from etlfabric_core.extract_load.inspection.dialect import Given

    (name,) = files
    return to_jsonable_python(inspect(find(files, name), name, Given(**given)))


def _headers(endpoint: Endpoint, files: Files) -> Any:
    config = parse(CsvConfig, endpoint.config)
    return {name: column_names(find(files, name), name, config) for name in files}


def _state(
    endpoint: Endpoint, files: Files, *, pipeline: str, dataset: str, names: list[str]
) -> Any:
    from etlfabric_core.extract_load import state
    from etlfabric_core.extract_load.planned_table import table_name

    versions = state.history(endpoint, pipeline, dataset)
    return {
        "tables": {name: table_name(name) for name in names},
        "versions": [asdict(version) for version in versions],
    }


def _change_state(
    endpoint: Endpoint,
    files: Files,
    *,
    pipeline: str,
    dataset: str,
    epoch: int,
    asked: Mapping[str, Any],
) -> Any:
    from etlfabric_core.extract_load import state
    from etlfabric_core.extract_load.planned_table import table_name

    change = StateChange.model_validate(asked)
    if change.resource is not None:
        change = change.model_copy(update={"resource": table_name(change.resource)})
    return asdict(state.change(endpoint, pipeline, dataset, epoch=epoch, asked=change))


def _rejected(endpoint: Endpoint, files: Files, *, dataset: str, names: list[str]) -> Any:
    from etlfabric_core.extract_load.planned_table import table_name
    from etlfabric_core.extract_load.replay.kept import counted

    return counted(endpoint, dataset, {name: table_name(name) for name in names})


QUESTIONS = {
    "test": _test,
    "redeem": _redeem,
    "schemas": _schemas,
    "tables": _tables,
    "columns": _columns,
    "existing": _existing,
    "preview": _preview,
    "profile": _profile,
    "draft": _draft,
    "upload": _upload,
    "inspect": _inspect,
    "headers": _headers,
    "state": _state,
    "change_state": _change_state,
    "rejected": _rejected,
}


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one question, or the error that says why there is none."""
    endpoint = Endpoint.model_validate(request["endpoint"])
    files = {name: Path(path) for name, path in request["files"].items()}
    question: Any = QUESTIONS[request["question"]]
    try:
        return {"answer": question(endpoint, files, **request["arguments"])}
    except FabricError as error:
        return {"error": error.body()}
    except MemoryError:
        message = f"{endpoint.connector}: it needs more than {MEMORY_BYTES >> 20} MiB of memory"
        hint = "choose a table with smaller values"
        return {"error": TerminalError(message, hint=hint).body()}
    except Exception as error:  # a damaged file can raise anything; its text may hold data
        message = f"{endpoint.connector}: cannot be read ({type(error).__name__})"
        hint = "check that the file is what the connector expects"
        return {"error": TerminalError(message, hint=hint).body()}


def main() -> None:
    """Reads the question from the input and writes the answer to the output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    request = json.load(sys.stdin)
    seconds = TIME_LIMITS_S.get(request["question"], TIME_LIMIT_S)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    json.dump(answer(request), sys.stdout)
    sys.stdout.flush()
    # Arrow's threads can abort an ordinary exit (apache/arrow#34314), after the work is done.
    os._exit(0)


if __name__ == "__main__":
    main()
