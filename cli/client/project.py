"""What `etlfabric apply` reads: YAML that says what an organization wants, and SQL beside it."""

import os
import re
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cli.client.errors import ClientError

FILE_NAME = "etlfabric.yml"
VARIABLE = re.compile(r"\$\{(\w+)\}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: str
    name: str | None = None

    @property
    def title(self) -> str:
        """The name; the slug where none is given."""
        return self.name or self.slug


class ConnectionPart(_Part):
    """`files` are uploaded; `${VARIABLES}` come from the environment, secrets above all."""

    connector: str
    direction: Literal["source", "destination", "both"] = "source"
    config: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)
    files: tuple[str, ...] = ()


class PipelinePart(_Part):
    """`source` and `destination` are slugs of connections."""

    description: str = ""
    source: str
    destination: str | None = None
    dataset: str
    config: dict[str, Any]
    retries: int = 5


class TransformationPart(_Part):
    """`sql` is a file beside the YAML; `config` is the rest."""

    kind: Literal["dbt_model", "dbt_snapshot"] = "dbt_model"
    description: str = ""
    dataset: str
    sql: str
    config: dict[str, Any] = Field(default_factory=dict)
    retries: int = 5


class SchedulePart(_Part):
    """`node` is a slug; without it the whole workflow runs."""

    cron: str
    timezone: str = "UTC"
    missed_runs: Literal["skip", "run_once", "queue"] = "run_once"
    enabled: bool = True
    node: str | None = None


class WorkflowPart(_Part):
    """One workflow; `edges` are pairs of slugs, upstream first."""

    description: str = ""
    pipelines: tuple[PipelinePart, ...] = ()
    transformations: tuple[TransformationPart, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    schedules: tuple[SchedulePart, ...] = ()


class Project(BaseModel):
    """A whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connections: tuple[ConnectionPart, ...] = ()
    workflows: tuple[WorkflowPart, ...] = ()


def read(path: Path) -> tuple[Project, Path]:
    """The project of a file, or of the `etlfabric.yml` in a folder, and the folder.

    Raises:
        ClientError: it is not there, is no YAML, or says something it may not; with the lines.
    """
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise ClientError(f"{file} is not there", hint="name a file or a folder to apply")
    text = file.read_text()
    try:
        document = yaml.safe_load(text) or {}
        return Project.model_validate(_expanded(document)), file.parent
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ClientError(f"{file}:{line}: {error.problem}") from error
    except ValidationError as error:
        lines = [
            f"{file}:{_line(text, problem['loc'])}: {_dotted(problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise ClientError("\n".join(lines)) from error


def sql_of(part: TransformationPart, folder: Path) -> str:
    """The text of a transformation's SQL file.

    Raises:
        ClientError: it is not there.
    """
    file = folder / part.sql
    if not file.is_file():
        raise ClientError(f"{part.slug}: {file} is not there", hint="`sql` names a file")
    return file.read_text()


def _expanded(value: Any) -> Any:
    if isinstance(value, str):
        return VARIABLE.sub(_variable, value)
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if isinstance(value, dict):
        return {key: _expanded(item) for key, item in value.items()}
    return value


def _variable(match: re.Match[str]) -> str:
    name = match.group(1)
    if name not in os.environ:
        raise ClientError(f"${{{name}}} is not set", hint=f"put {name} into the environment")
    return os.environ[name]


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def _line(text: str, location: tuple[int | str, ...]) -> int:
    """The line of the deepest part of a location that the text has."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            entries = {key.value: (key, value) for key, value in node.value}
            if part not in entries:
                break
            key, node = entries[str(part)]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
