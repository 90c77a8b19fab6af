"""Asks a connector about the outside world in a child process, which can hang, swell or crash.

The child gets an empty environment and reads its question, secrets included, from its input.
"""

import asyncio
import json
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.csv import CsvConfig, column_names, find, sample
from etlfabric_core.connectors.record import parse
from etlfabric_core.errors import FabricError, InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

Question = Literal["test", "discover", "preview"]

TIME_LIMIT_S = 30
MEMORY_BYTES = 2 << 30
PREVIEW_ROWS = 50
ROOT = Path(__file__).parents[2]
ERRORS = {kind.code: kind for kind in (InvalidConfig, TerminalError, TransientError)}
# Each child takes a processor for a moment; the rest of the callers wait their turn.
_TURN = asyncio.Semaphore(4)


async def ask(question: Question, endpoint: Endpoint, files: Mapping[str, Path]) -> Any:
    """The connector's answer as plain JSON values.

    Raises:
        InvalidConfig, TerminalError, TransientError: what the connector said; TransientError also
            when it took longer than the time limit.
    """
    request = json.dumps(
        {
            "question": question,
            "endpoint": endpoint.model_dump(mode="json"),
            "files": {name: str(path) for name, path in files.items()},
        }
    )
    async with _TURN:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __name__,
            cwd=ROOT,
            env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            output, _ = await asyncio.wait_for(child.communicate(request.encode()), TIME_LIMIT_S)
        except TimeoutError as error:
            raise TransientError(
                f"no answer within {TIME_LIMIT_S} s",
                hint="check host and port, and that the system is not overloaded",
            ) from error
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    return _answer(output)


def _answer(output: bytes) -> Any:
    if not output:
        raise TerminalError(
            "the connector ended without an answer",
            hint="the file may be damaged or need more memory than there is",
        )
    answer = json.loads(output)
    if error := answer.get("error"):
        kind = ERRORS.get(error["error"], TerminalError)
        raise kind(error["message"], hint=error["hint"])
    return answer["answer"]


def _test(endpoint: Endpoint, files: Mapping[str, Path]) -> Any:
    return asdict(get_connector(endpoint.connector).test(endpoint, files))


def _discover(endpoint: Endpoint, files: Mapping[str, Path]) -> Any:
    found = get_connector(endpoint.connector).discover(endpoint, files)
    return [asdict(resource) for resource in found]


def _preview(endpoint: Endpoint, files: Mapping[str, Path]) -> Any:
    config = parse(CsvConfig, endpoint.config)
    (name,) = files
    path = find(files, name)
    return {
        "columns": column_names(path, name, config),
        "rows": sample(path, name, config)[:PREVIEW_ROWS],
    }


QUESTIONS = {"test": _test, "discover": _discover, "preview": _preview}


def main() -> None:
    """The child: one question in, one answer out."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIME_LIMIT_S, TIME_LIMIT_S))
    request = json.load(sys.stdin)
    endpoint = Endpoint.model_validate(request["endpoint"])
    files = {name: Path(path) for name, path in request["files"].items()}
    answer: dict[str, Any]
    try:
        answer = {"answer": QUESTIONS[request["question"]](endpoint, files)}
    except FabricError as error:
        answer = {"error": error.body()}
    except Exception as error:  # a damaged file can raise anything; its text may hold data
        hint = "check that the file is what the connector expects"
        message = f"{endpoint.connector}: cannot be read ({type(error).__name__})"
        answer = {"error": TerminalError(message, hint=hint).body()}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
