"""What a connector is: one declarative record that the API, the UI and the runners read."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from etlfabric_core.connectors.loading import Loading, LoadingWhen
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.extract_load.plan import Endpoint


class Direction(StrEnum):
    """Which side of a pipeline a connector can be."""

    SOURCE = "source"
    DESTINATION = "destination"


class Ability(StrEnum):
    """What a source does before rows leave it."""

    INCREMENTAL = "incremental"
    TABLE_FILTER = "table_filter"
    ROW_FILTER = "row_filter"
    COUNT = "count"


SELECTING = frozenset({Ability.INCREMENTAL, Ability.TABLE_FILTER, Ability.ROW_FILTER})


class Proof(StrEnum):
    """What a connector's tests talk to."""

    REAL = "the real thing"
    CONTRACT = "contract: what is asked of the driver"


class ConnectorModel(BaseModel):
    """Base of a connector's config and secrets: a word it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Model = TypeVar("Model", bound=ConnectorModel)


class NoSecrets(ConnectorModel):
    """A connector that needs no secret."""


@dataclass(frozen=True)
class MissingRight:
    """What the user of a connection may not do and would have to, in one direction."""

    direction: Direction
    message: str
    hint: str


class NoOptions(ConnectorModel):
    """A connector whose resources have no options of their own."""


@dataclass(frozen=True)
class TestResult:
    """What a connection test found. `message` names the field, `hint` the remedy."""

    __test__ = False  # not a test case, whatever pytest thinks of the name

    ok: bool
    message: str
    latency_ms: int = 0
    server_version: str | None = None
    hint: str | None = None
    missing: tuple[MissingRight, ...] = ()


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


class TableKind(StrEnum):
    """What is listed at a source."""

    TABLE = "table"
    VIEW = "view"
    FILE = "file"
    ENDPOINT = "endpoint"


@dataclass(frozen=True)
class DiscoveredTable:
    """One line in the list of tables; `source` is what a resource's `source` says to mean it.

    Where a source has no schemas, `schema` is empty. `primary_key` is named where the list gives
    it at no further cost; the table's columns say it for certain.
    """

    schema: str
    name: str
    source: str
    kind: TableKind = TableKind.TABLE
    row_estimate: int | None = None
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableQuery:
    """Which tables to list: `search` is a part of the name in any case, `schema` None means all.

    The list is sorted by schema and name, by code point; `after` is the last one of the page
    before this one.
    """

    schema: str | None = None
    search: str = ""
    after: tuple[str, str] | None = None
    limit: int = 100


@dataclass(frozen=True)
class TablePage:
    """At most `limit` tables, and whether more follow."""

    tables: tuple[DiscoveredTable, ...]
    more: bool


Files = Mapping[str, Path]


@dataclass(frozen=True)
class Browse:
    """How a connector lists what it can read, each step only when somebody asks for it.

    `columns` takes the `source` of a table and raises TerminalError when there is no such table.
    A connector whose list of tables is short takes `connectors.browse.whole_list`.
    """

    schemas: Callable[[Endpoint, Files], tuple[str, ...]]
    tables: Callable[[Endpoint, Files, TableQuery], TablePage]
    columns: Callable[[Endpoint, Files, str], tuple[DiscoveredColumn, ...]]


def host_field(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The host of a config that has a field for it."""
    return (config["host"],) if config.get("host") else ()


@dataclass(frozen=True)
class Grant:
    """What came back of a consent: the code, and what proves that we asked for it."""

    code: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class Consent:
    """How a person lets a connection read what is theirs: a code of OAuth 2.0 (RFC 6749 §4.1) with
    a proof of who asked for it (RFC 7636).

    `is_used(config)` says whether the connection signs in in this way; `client_id` is a field of
    its config. `redeem` gives the secrets for a code; `parameters` are more of the request.
    """

    provider: str
    authorize_url: str
    scope: str
    is_used: Callable[[Mapping[str, Any]], bool]
    redeem: Callable[[Endpoint, Grant], dict[str, str]]
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Connector:
    """A type of connection.

    `files` says that it reads uploads; `file_for(names, source)` is the one that a resource reads,
    where each resource is a file. `endpoint_fields` are the config fields that say whom a
    stored secret is shown to: when one of them changes, the secret has to be given again.
    `hosts_of(config)` are the hosts that requests go to, the source's own first: they are looked
    up and checked. `resource_options` checks the `options` of a pipeline's resource.
    `abilities` are those to select, unless the record says otherwise. `loading` is how a
    destination is loaded into, `loading_when` where a field of its config makes it another way;
    with `keeps_database` the platform keeps a file for it. `extra` names the drivers that have to
    be installed with `pip install 'etlfabric[extra]'`. `consent` is how a person signs in instead
    of a secret that is typed in.
    """

    name: str
    label: str
    description: str
    directions: frozenset[Direction]
    config: type[ConnectorModel]
    secrets: type[ConnectorModel]
    test: Callable[[Endpoint, Files], TestResult]
    browse: Browse
    files: bool = False
    file_for: Callable[[Collection[str], str], str | None] | None = None
    endpoint_fields: tuple[str, ...] = ()
    hosts_of: Callable[[Mapping[str, Any]], tuple[str, ...]] = host_field
    resource_options: type[ConnectorModel] | None = None
    abilities: frozenset[Ability] = SELECTING
    loading: Loading | None = None
    loading_when: tuple[LoadingWhen, ...] = ()
    keeps_database: bool = False
    extra: str | None = None
    consent: Consent | None = None
    proof: Proof = Proof.REAL

    def loading_of(self, config: Mapping[str, Any]) -> Loading | None:
        """How a connection with this config is loaded into; None: it cannot be."""
        special = (one for one in self.loading_when if config.get(one.field) == one.value)
        return next((one.loading for one in special), self.loading)


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
