"""What a connector is: one declarative record that the API, the UI and the runners read."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.extract_load.plan import Endpoint


class Direction(StrEnum):
    """Which side of a pipeline a connector can be."""

    SOURCE = "source"
    DESTINATION = "destination"


class ConnectorModel(BaseModel):
    """Base of a connector's config and secrets: a word it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=ConnectorModel)


class NoSecrets(ConnectorModel):
    """A connector that needs no secret."""


@dataclass(frozen=True)
class TestResult:
    """What a connection test found. `message` names the field, `hint` the remedy."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    ok: bool
    message: str
    latency_ms: int = 0
    server_version: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class DiscoveredColumn:
    """One column of a table or file at the source."""

    name: str
    type: str
    nullable: bool = True
    primary_key: bool = False
    cursor_candidate: bool = False
    why_not: str | None = None


@dataclass(frozen=True)
class DiscoveredResource:
    """One table or file at the source; `name` is what a resource's `source` says."""

    name: str
    columns: tuple[DiscoveredColumn, ...]
    row_estimate: int | None = None


Files = Mapping[str, Path]


@dataclass(frozen=True)
class Connector:
    """A type of connection.

    `files` says that it reads uploads; `file_for(names, source)` is the one that a resource reads,
    where each resource is a file. `endpoint_fields` are the config fields that say whom a
    stored secret is shown to: when one of them changes, the secret has to be given again.
    """

    name: str
    label: str
    description: str
    directions: frozenset[Direction]
    config: type[ConnectorModel]
    secrets: type[ConnectorModel]
    test: Callable[[Endpoint, Files], TestResult]
    discover: Callable[[Endpoint, Files], tuple[DiscoveredResource, ...]]
    files: bool = False
    file_for: Callable[[Collection[str], str], str | None] | None = None
    endpoint_fields: tuple[str, ...] = ()


def parse(model: type[Model], values: Mapping[str, Any]) -> Model:
    """`values` as `model`.

    Raises:
        InvalidConfig: a field is missing, unknown or of the wrong form; one problem per field.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problems = [
            Problem(str(entry["msg"]), field=".".join(str(part) for part in entry["loc"]))
            for entry in error.errors(include_input=False, include_url=False)
        ]
        first = problems[0]
        raise InvalidConfig(
            f"connection field '{first.field}': {first.message}",
            hint="correct the fields named in `problems`",
            problems=problems,
        ) from None
