"""A running stack, and an account on it: what end-to-end tests talk to."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from cli.stack.environment import Environment
from cli.stack.layout import PROJECT, Layout

COMMAND_SECONDS = 480
AWAY = 502  # the service's answer where Airflow does not give one in time


@dataclass(frozen=True)
class Stack:
    """A running stack and the ways to it that a user has."""

    layout: Layout
    environment: dict[str, str]

    def etlfabric(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the `etlfabric` command; a failure shows what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            env=self.environment,
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        if check:
            assert done.returncode == 0, (
                f"etlfabric {' '.join(arguments)}\n{done.stdout}{done.stderr}"
            )
        return done

    def airflow(self, *arguments: str) -> str:
        """What Airflow's own command line prints."""
        return self.etlfabric("airflow", *arguments).stdout

    @property
    def secrets(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.layout.secrets_file.read_text())
        return found

    def superuser_url(self, database: str) -> str:
        """Past every wall: for tests that plant something or look for it."""
        return Environment(self.layout, self.secrets).postgres.url(database)

    def sign_up(self, organization: str) -> "Account":
        """A new organization, as its owner."""
        body = {
            "email": f"owner@{organization}.example.com",
            "password": "correct horse battery",
            "name": "Owner",
            "organization": organization,
        }
        answer = httpx.post(f"{self.layout.api_url}/api/v1/auth/register", json=body, timeout=60)
        assert answer.is_success, answer.text
        return Account.of(self.layout, answer.json())


@dataclass(frozen=True)
class Account:
    """Somebody who is signed in."""

    http: httpx.Client
    slug: str

    @classmethod
    def of(cls, layout: Layout, tokens: dict[str, Any]) -> "Account":
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        http = httpx.Client(base_url=f"{layout.api_url}/api/v1", headers=headers, timeout=120)
        return cls(http, tokens["organization"]["slug"])

    def get(self, path: str, **params: Any) -> Any:
        """The decoded answer of a GET that must succeed."""
        return _good(self.http.get(path, params=params))

    def post(self, path: str, body: Any = None) -> Any:
        """The decoded answer of a POST that must succeed."""
        return _good(self.http.post(path, json=body))

    def upload(self, name: str, content: bytes) -> int:
        """The id of an uploaded file."""
        return int(_good(self.http.post("/uploads", files={"file": (name, content)}))["id"])

    def csv_pipeline(self, slug: str, tables: dict[str, bytes], **resource: Any) -> dict[str, Any]:
        """A connection to CSV files and a pipeline that loads each into a table of `raw`."""
        uploads = [self.upload(f"{name}.csv", content) for name, content in tables.items()]
        connection = self.post(
            "/connections",
            {"name": f"{slug} files", "connector": "csv", "config": {"uploads": uploads}},
        )
        resources = [{"name": name, "write_disposition": "replace", **resource} for name in tables]
        return self.pipeline(slug, connection, *resources)

    def hold_changes(self, pipeline: dict[str, Any]) -> None:
        """Save that a pipeline waits for somebody where its source has changed."""
        config = pipeline["config"] | {"schema_changes": "hold"}
        _good(self.http.patch(f"/pipelines/{pipeline['id']}", json={"config": config}))

    def replace_file(self, pipeline: dict[str, Any], name: str, content: bytes) -> None:
        """Put a newer file in the place of the only one of a pipeline's connection."""
        path = f"/connections/{pipeline['source_connection_id']}"
        config = {"uploads": [self.upload(name, content)]}
        _good(self.http.patch(path, json={"config": config}))

    def pipeline(
        self, slug: str, connection: dict[str, Any], *resources: dict[str, Any], **fields: Any
    ) -> dict[str, Any]:
        """A pipeline into the dataset `raw`, with one retry unless the fields say otherwise."""
        pipeline: dict[str, Any] = self.post(
            "/pipelines",
            {
                "workflow_id": self.workflow()["id"],
                "name": slug,
                "slug": slug,
                "source_connection_id": connection["id"],
                "dataset": "raw",
                "config": {"resources": resources},
                "retries": 1,
                **fields,
            },
        )
        return pipeline

    def model(self, slug: str, sql: str, **config: Any) -> dict[str, Any]:
        """A transformation into the dataset `marts`, as a table."""
        made: dict[str, Any] = self.post("/transformations", self.model_body(slug, sql, **config))
        return made

    def model_body(self, slug: str, sql: str, **config: Any) -> dict[str, Any]:
        """The request that makes it."""
        return {
            "workflow_id": self.workflow()["id"],
            "name": slug,
            "slug": slug,
            "dataset": "marts",
            "retries": 0,
            "config": {"sql": sql, "materialization": "table", **config},
        }

    def change_sql(self, model: dict[str, Any], sql: str) -> httpx.Response:
        """Save another text for a model, whatever the answer is."""
        stored = self.get(f"/transformations/{model['id']}")
        return self.http.patch(
            f"/transformations/{model['id']}",
            json={"config": stored["config"] | {"sql": sql}},
            headers={"If-Match": str(stored["version"])},
        )

    def workflow(self) -> dict[str, Any]:
        """The workflow that every organization starts with."""
        found: dict[str, Any] = self.get("/workflows")["items"][0]
        return found

    @property
    def dag_id(self) -> str:
        return f"{self.slug}.{self.workflow()['slug']}"

    def publish(self) -> dict[str, Any]:
        """Publish the first workflow."""
        published: dict[str, Any] = self.post(f"/workflows/{self.workflow()['id']}/publish")
        return published

    def start(self, *select: str) -> dict[str, Any]:
        """Run the first workflow."""
        body = {"select": list(select)}
        run: dict[str, Any] = self.post(f"/workflows/{self.workflow()['id']}/runs", body)
        return run

    def run(self, run: dict[str, Any]) -> dict[str, Any]:
        """A run as it is now."""
        found: dict[str, Any] = self.get(f"/runs/{run['dag_id']}/{run['run_id']}")
        return found

    def finished(self, run: dict[str, Any], seconds: float = 240) -> dict[str, Any]:
        """The run when it has ended. On a busy machine Airflow may not answer for a while."""
        path = f"/runs/{run['dag_id']}/{run['run_id']}"
        answer: httpx.Response = eventually(
            lambda: self.http.get(path),
            lambda found: (
                found.status_code != AWAY and _good(found)["state"] in ("success", "failed")
            ),
            seconds,
        )
        found: dict[str, Any] = _good(answer)
        return found

    def rows(self, dataset: str, table: str) -> list[list[Any]]:
        """The first rows of a table of the warehouse."""
        found: list[list[Any]] = self.get(f"/tables/{dataset}/{table}/rows", limit=500)["rows"]
        return found

    def count(self, dataset: str, table: str) -> int:
        """The counted rows of a table of the warehouse."""
        return int(self.get(f"/tables/{dataset}/{table}/count")["rows"])


def eventually(look: Callable[[], Any], enough: Callable[[Any], bool], seconds: float = 60) -> Any:
    """What `look` sees when it is enough; fails with the last sight when it never is."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if enough(seen):
            return seen
        assert time.monotonic() < deadline, f"not within {seconds} s; the last sight: {seen}"
        time.sleep(0.25)


def _good(response: httpx.Response) -> Any:
    assert response.is_success, f"{response.request.url}: {response.status_code} {response.text}"
    return response.json() if response.content else None
