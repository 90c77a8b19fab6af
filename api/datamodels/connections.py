"""Bodies of connections. Secrets go in and never come out."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, SecretStr

from api.datamodels.base import Answer, Body, Name
from etlfabric_core.connectors.record import Direction

EXAMPLE: dict[str, JsonValue] = {
    "name": "Orders database",
    "connector": "postgres",
    "config": {"host": "db.example.com", "database": "orders", "user": "reader"},
    "secrets": {"password": "s3cret"},
}
Secrets = dict[str, Annotated[SecretStr, Field(max_length=100_000)]]


def plain(secrets: Secrets | None) -> dict[str, str] | None:
    """The secrets as texts, for the services."""
    if secrets is None:
        return None
    return {name: value.get_secret_value() for name, value in secrets.items()}


class ConnectionDraft(Body):
    """A connection to test before it is saved."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{k: v for k, v in EXAMPLE.items() if k != "name"}]},
    )

    connector: str = Field(max_length=40)
    config: dict[str, Any]
    secrets: Secrets = Field(default_factory=dict)


class ConnectionIn(ConnectionDraft):
    """`config` and `secrets` as the connector's record in /registry/connectors says."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    name: Name
    slug: str | None = Field(None, max_length=40)
    direction: Literal["source", "destination", "both"] | None = None


class ConnectionPatch(Body):
    """What is left out stays. A secret given as "***" keeps its stored value."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "Orders", "secrets": {"password": "***"}}]},
    )

    name: Name | None = None
    config: dict[str, Any] | None = None
    secrets: Secrets | None = None


class ConnectionOut(Answer):
    """`secrets` has "***" for each one that is set; `consent` names at whom a person signs in."""

    id: int
    slug: str
    name: str
    connector: str
    direction: str
    config: dict[str, Any]
    secrets: dict[str, str]
    consent: str | None
    managed: bool
    status: str
    status_message: str | None
    created_at: datetime


class MissingRightOut(Answer):
    """What the connection's user may not do and would have to, as a source or a destination."""

    direction: Direction
    message: str
    hint: str


class TestOut(Answer):
    """What a connection test found."""

    ok: bool
    message: str
    latency_ms: int
    server_version: str | None
    hint: str | None
    missing: list[MissingRightOut]


class TestedOut(TestOut):
    """A test of a saved connection, and when it was."""

    id: int
    created_at: datetime


class ConsentOut(Answer):
    """Where a person consents."""

    url: str


class ConsentIn(Body):
    """What the provider sent back with the person."""

    code: str = Field(min_length=1, max_length=4000)
    state: str = Field(min_length=1, max_length=4000)
