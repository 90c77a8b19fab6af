"""Generated requests to every documented route: none answers 5xx, none answers off the document.

`ETLFABRIC_FUZZ` is how many examples each route gets; with it every caller tries every phase, by
another seed each time. `ETLFABRIC_FUZZ_SEED` replays a trial.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
import uvicorn
from pydantic import SecretStr

from api.app import create_app
from cli.stack.ports import free_port
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.settings import Settings
from tests.api.airflow_server import USER, AirflowServer
from tests.api.conftest import USER_PASSWORD

WHOLE = "ETLFABRIC_FUZZ" in os.environ
EXAMPLES = int(os.environ.get("ETLFABRIC_FUZZ", "2"))
# The phase `coverage` walks every limit of every field: about 1,500 requests for one caller.
PHASES = {
    "owner": "examples,coverage,fuzzing",
    "editor": "examples,fuzzing",
    "viewer": "examples,fuzzing",
}
ANY_SEED = random.SystemRandom().randrange(1 << 30) if WHOLE else 1
SEED = int(os.environ.get("ETLFABRIC_FUZZ_SEED", ANY_SEED))
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "use_after_free",
)
# They end the caller's own account or membership, after which every answer is 401.
ENDING = r"^/api/v1/(members/me|me/password)$"
OWNER = "owner@fuzzed.example.com"
DEADLINE = 30


@dataclass(frozen=True)
class Service:
    """A listening service, with an access token for each role."""

    url: str
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def service(
    settings: Settings, airflow: AirflowServer, database: EmbeddedPostgres
) -> Iterator[Service]:
    """The service on a port of its own, in a thread; its owner also runs the installation."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    changed = {
        "requests_per_minute": 1_000_000,
        "public_url": url,
        "airflow_url": airflow.url,
        "airflow_username": USER,
        "airflow_password": SecretStr(airflow.password),
    }
    generous = settings.model_copy(update=changed)
    config = uvicorn.Config(create_app(generous), port=port, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        _until_ready(url)
        tokens = _tokens(url)
        with psycopg.connect(database.url("etlfabric"), autocommit=True) as admin:
            admin.execute("UPDATE \"user\" SET platform_role = 'owner' WHERE email = %s", [OWNER])
        yield Service(url, tokens)
    finally:
        server.should_exit = True
        thread.join(DEADLINE)


def _until_ready(url: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not become ready")


def _tokens(url: str) -> dict[str, str]:
    with httpx.Client(base_url=f"{url}/api/v1") as http:
        owner = {
            "email": OWNER,
            "password": USER_PASSWORD,
            "name": "Owner",
            "organization": "fuzzed",
        }
        tokens = {"owner": http.post("/auth/register", json=owner).json()["access_token"]}
        http.headers["Authorization"] = f"Bearer {tokens['owner']}"
        for role in ("viewer", "editor"):
            body = {"email": f"{role}@fuzzed.example.com", "role": role}
            link = http.post("/invitations", json=body).json()["link"]
            person = {
                "token": link.partition("#token=")[2],
                "name": role,
                "password": USER_PASSWORD,
            }
            joined = http.post("/auth/invitations/accept", json=person)
            tokens[role] = joined.json()["access_token"]
    return tokens


@pytest.mark.feature("A20")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("caller", PHASES)
async def test_no_request_is_answered_off_the_document(
    service: Service, caller: str, tmp_path: Path
) -> None:
    token = service.tokens[caller]
    report = tmp_path / "report.json"
    command = (
        *(SCHEMATHESIS, "run", f"{service.url}/api/v1/openapi.json", "--url", service.url),
        *("--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS)),
        *("--max-examples", str(EXAMPLES), "--seed", str(SEED), "--no-shrink"),
        *("--phases", "examples,coverage,fuzzing,stateful" if WHOLE else PHASES[caller]),
        *("--suppress-health-check", "all", "--warnings", "off"),
        *("--report-json-path", str(report), "--generation-database", "none"),
        *("--exclude-path-regex", ENDING),
    )
    result = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, cwd=tmp_path
    )
    print(f"{caller}: seed {SEED}\n{result.stdout[-6000:]}")
    assert result.returncode == 0, f"seed {SEED}\n{result.stdout[-20000:]}{result.stderr[-2000:]}"
    assert json.loads(report.read_text())
