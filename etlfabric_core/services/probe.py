"""Asks a connector about the outside world in a child process, which can hang, swell or crash.

The child gets an empty environment and reads its question, secrets included, from its input.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import WeakValueDictionary

from etlfabric_core.access.network import AllowList
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.scope import OpenSession
from etlfabric_core.errors import Conflict, InvalidConfig, Problem, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.files.storage import Storage
from etlfabric_core.services import databases, probe_child, uploads
from etlfabric_core.services.probe_child import TIME_LIMIT_S, TIME_LIMITS_S, Question

ROOT = Path(__file__).parents[2]
# The limit counts addresses, and by default the allocators reserve gigabytes that they never use.
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "1",
}
ERRORS = {kind.code: kind for kind in (Conflict, InvalidConfig, TerminalError, TransientError)}
# Each child takes a processor for a moment; the rest of the callers wait their turn, and nobody
# waits for one organization's slow sources alone.
MOST_PER_ORGANIZATION = 2


class _Turns:
    """Who may ask now: so many at once in all, and so many of one organization."""

    def __init__(self, most: int, most_within: int) -> None:
        self._all, self._most_within = asyncio.Semaphore(most), most_within
        self._within: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, org_id: int) -> AsyncIterator[None]:
        within = self._within.setdefault(org_id, asyncio.Semaphore(self._most_within))
        async with within, self._all:
            yield


_SHORT = _Turns(4, MOST_PER_ORGANIZATION)
_LONG = _Turns(2, 1)  # nobody who asks something short waits for these


@dataclass(frozen=True)
class Prober:
    """Who asks, and with what means: sessions of the organization, its files, its secrets.

    `databases` is the folder of those that the platform keeps.
    """

    org_id: int
    opened: OpenSession
    storage: Storage
    box: SecretBox
    allowed: AllowList
    databases: Path


async def ask(prober: Prober, question: Question, endpoint: Endpoint, **arguments: Any) -> Any:
    """The connector's answer as plain JSON values. `arguments` are those of the question.

    Raises:
        Conflict, InvalidConfig, TerminalError, TransientError: what the connector said;
            TransientError also when it took longer than the time limit.
        NotFound: the bytes of an upload are gone.
    """
    turns = _LONG if question in TIME_LIMITS_S else _SHORT
    limit = TIME_LIMITS_S.get(question, TIME_LIMIT_S)
    with TemporaryDirectory(prefix="etlfabric-probe-") as folder:
        async with turns.of(prober.org_id):
            files = await uploads.materialize(
                prober.storage, prober.org_id, endpoint.files, Path(folder)
            )
            request = {
                "question": question,
                "endpoint": databases.located(endpoint, prober.databases).model_dump(mode="json"),
                "files": {name: str(path) for name, path in files.items()},
                "arguments": arguments,
            }
            output = await _child(json.dumps(request).encode(), limit)
    return _answer(output)


async def _child(request: bytes, time_limit_s: int) -> bytes:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        probe_child.__name__,
        cwd=ROOT,
        env=ENVIRONMENT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await asyncio.wait_for(child.communicate(request), time_limit_s)
    except TimeoutError as error:
        raise TransientError(
            f"no answer within {time_limit_s} s",
            hint="check host and port, and that the system is not overloaded",
        ) from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if not output:
        raise TerminalError(
            f"the connector ended without an answer (status {child.returncode})",
            hint="the file may be damaged or need more memory than there is",
        )
    return output


def _answer(output: bytes) -> Any:
    answer = json.loads(output)
    if error := answer.get("error"):
        kind = ERRORS.get(error["error"], TerminalError)
        problems = [Problem(**problem) for problem in error["problems"]]
        raise kind(error["message"], hint=error["hint"], problems=problems)
    return answer["answer"]
