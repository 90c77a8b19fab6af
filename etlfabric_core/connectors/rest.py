"""REST APIs that answer JSON: where they are, how to sign in, and how an endpoint is read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.files import FieldType, tested
from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    TableKind,
    TestResult,
    parse,
)
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.outbound import Origin

WEB = r"^https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[^\s?#]*)?$"
HEADER = r"^[A-Za-z0-9-]{1,100}$"
PLACEHOLDER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
OURS = ("host", "content-length", "transfer-encoding", "connection", "accept-encoding")


class RestConfig(ConnectorModel):
    """Where the API is, and how to sign in."""

    base_url: str = Field(
        pattern=WEB, max_length=500, description="All requests go below this address."
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="Sent with every request. Secret ones belong to secrets."
    )
    auth: Literal["none", "bearer", "api_key", "basic", "oauth2_client_credentials"] = "none"
    api_key_name: str = Field("X-API-Key", pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    api_key_location: Literal["header", "query"] = "header"
    username: str = Field("", max_length=255, description="For basic.")
    client_id: str = Field("", max_length=255, description="For OAuth 2.")
    token_url: str = Field(
        "", pattern=rf"{WEB}|^$", max_length=500, description="For OAuth 2: where tokens are had."
    )
    scope: str = Field("", max_length=500, description="For OAuth 2.")
    test_path: str = Field("", max_length=500, description="Path that a test asks for.")

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            require_header(name, value)
            if name.lower() == "authorization":
                raise ValueError("Authorization is a secret: choose an auth kind")
        return headers

    @model_validator(mode="after")
    def _has_what_its_auth_needs(self) -> Self:
        if self.auth == "basic" and not self.username:
            raise ValueError("basic needs a username")
        if self.auth == "oauth2_client_credentials" and not (self.client_id and self.token_url):
            raise ValueError("oauth2_client_credentials needs client_id and token_url")
        return self


class RestSecrets(ConnectorModel):
    """What signs in: the one that the auth kind needs."""

    token: SecretStr = Field(SecretStr(""), description="For bearer.")
    api_key: SecretStr = Field(SecretStr(""), description="For api_key.")
    password: SecretStr = Field(SecretStr(""), description="For basic.")
    client_secret: SecretStr = Field(SecretStr(""), description="For OAuth 2.")
    headers: SecretStr = Field(
        SecretStr(""), description="Secret header, 'Name: value'; one to a line."
    )


def require_header(name: str, value: str) -> None:
    """Refuses what would be another header, or break the request.

    Raises:
        ValueError: it is not a header that a user may set.
    """
    if not re.match(HEADER, name) or not value.isprintable() or name.lower() in OURS:
        raise ValueError(f"'{name}' cannot be set as a header")


class Paginator(ConnectorModel):
    """How the next page is found. `auto` looks at the first answer."""

    type: Literal[
        "auto", "single_page", "json_link", "header_link", "offset", "page_number", "cursor"
    ] = "auto"
    next_path: str = Field("next", max_length=200, description="json_link: way to the next URL.")
    link_name: str = Field("next", max_length=50, description="header_link: rel of the link.")
    limit: int = Field(100, ge=1, le=100_000, description="offset: records to a page.")
    limit_param: str = Field("limit", max_length=100)
    offset_param: str = Field("offset", max_length=100)
    first_page: int = Field(1, ge=0, le=1, description="page_number: of the first page.")
    page_param: str = Field("page", max_length=100)
    cursor_path: str = Field("next_cursor", max_length=200, description="cursor: way to its value.")
    cursor_param: str = Field("cursor", max_length=100)
    has_more_path: str = Field("", max_length=200, description="Way to the flag 'more follows'.")


class Incremental(ConnectorModel):
    """The query parameters that take the bounds of the resource's cursor."""

    start_param: str = Field(max_length=100, description="Records from this value on.")
    end_param: str = Field("", max_length=100, description="Records before this; for backfills.")
    format: Literal["iso", "epoch"] = Field("iso", description="How times are written.")


class Parent(ConnectorModel):
    """Another resource of the pipeline: this one is asked for once for each of its records."""

    resource: str = Field(min_length=1, max_length=63)
    params: dict[str, str] = Field(
        description="Names in braces in the path → fields of the parent's records."
    )
    include: tuple[str, ...] = Field(
        (), description="Fields of the parent that come with each record, as <parent>_<field>."
    )


class RestOptions(ConnectorModel):
    """How one endpoint is read. With `fields`, what has no field of its own is in other_fields."""

    path: str = Field("", max_length=500, description="Below the base URL; default: the source.")
    params: dict[str, str | int | float | bool] = Field(default_factory=dict)
    records: str = Field("", max_length=200, description="JSONPath of the records; '': found.")
    paginator: Paginator = Paginator()
    incremental: Incremental | None = None
    parent: Parent | None = None
    fields: dict[str, FieldType] = Field(
        default_factory=dict,
        description="Types of fields. Without any, the records of the first page decide.",
    )

    @field_validator("path")
    @classmethod
    def _is_below_the_base(cls, path: str) -> str:
        if "://" in path or path.startswith("//") or ".." in path.split("/") or "\\" in path:
            raise ValueError("a path is below the base URL")
        for _, name, form, conversion in Formatter().parse(path):
            if name is not None and (form or conversion or not PLACEHOLDER.fullmatch(name)):
                raise ValueError("braces hold the name of a parent's value, such as {id}")
        return path


@dataclass(frozen=True)
class Api:
    """An API as its reader sees it: a connection, and the endpoints that are known before."""

    config: RestConfig
    secrets: RestSecrets
    endpoint: Endpoint
    known: Mapping[str, RestOptions] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ApiOf = Callable[[Endpoint], Api]


def api_of(endpoint: Endpoint) -> Api:
    """The API of a connection.

    Raises:
        InvalidConfig: a field is wrong.
    """
    config = parse(RestConfig, endpoint.config)
    return Api(config, parse(RestSecrets, endpoint.secrets), endpoint)


def hosts_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The API's host, and that of its tokens where it is another one."""
    urls = [config["base_url"], config.get("token_url") or config["base_url"]]
    return tuple(dict.fromkeys(Origin.of(url).host for url in urls))


def tester(api: ApiOf) -> Callable[[Endpoint, Files], TestResult]:
    """A test that signs in and asks for one page."""

    def test(endpoint: Endpoint, files: Files) -> TestResult:
        from etlfabric_core.extract_load.sources import rest

        return tested(lambda: rest.answered(api(endpoint)))

    return test


def describer(api: ApiOf) -> Callable[[Endpoint, Files, str], tuple[DiscoveredColumn, ...]]:
    """A function that describes the first page of an endpoint."""

    def list_columns(endpoint: Endpoint, files: Files, table: str) -> tuple[DiscoveredColumn, ...]:
        from etlfabric_core.extract_load.sources import rest

        return rest.described(api(endpoint), table)

    return list_columns


def lister(api: ApiOf) -> Callable[[Endpoint, Files], list[DiscoveredTable]]:
    """A function that lists the endpoints that are known before."""

    def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
        return [DiscoveredTable("", name, name, TableKind.ENDPOINT) for name in api(endpoint).known]

    return list_tables


REST = Connector(
    name="rest",
    label="REST API",
    description="Endpoints of any API that answers JSON.",
    directions=frozenset({Direction.SOURCE}),
    config=RestConfig,
    secrets=RestSecrets,
    test=tester(api_of),
    browse=whole_list(lister(api_of), describer(api_of)),
    endpoint_fields=("base_url", "token_url"),
    hosts_of=hosts_of,
    resource_options=RestOptions,
)
