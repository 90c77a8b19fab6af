"""The fields of a connection, checked against the record of its connector."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncSession

from etlfabric_core.access.network import AllowList, resolve_host
from etlfabric_core.connectors.record import Connector, ConnectorModel, Model, parse
from etlfabric_core.errors import InvalidConfig, Problem, TransientError
from etlfabric_core.extract_load.plan import FileRef
from etlfabric_core.models import Upload
from etlfabric_core.services import uploads

KEPT = "***"
INTERNAL_UPLOADS = "/internal/v1/uploads"


async def checked_config(
    session: AsyncSession, connector: Connector, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The config as it is stored.

    Raises:
        InvalidConfig: a field is wrong.
        NotFound: an upload does not exist in this organization.
    """
    config = _parsed(connector.config, given, "config").model_dump(mode="json", by_alias=True)
    await file_refs(session, config)
    return config


async def addresses(
    connector: Connector, config: Mapping[str, Any], allowed: AllowList
) -> dict[str, Any]:
    """`addresses` and `others` of an endpoint: what the names of its hosts stand for now.

    Raises:
        InvalidConfig: a host lies inside the installation.
        TransientError: a host's name cannot be resolved.
    """
    field = _host_field(connector)
    hosts = connector.hosts_of(config)
    found = [await resolve_host(host, allowed, field=field) for host in hosts]
    first, others = found[:1], dict(zip(hosts[1:], found[1:], strict=True))
    return {"addresses": first[0] if first else (), "others": others}


async def named_addresses(
    connector: Connector, config: Mapping[str, Any], allowed: AllowList
) -> dict[str, Any]:
    """The same for a host that somebody has just typed: a name that nobody knows is a mistake.

    Raises:
        InvalidConfig: the host lies inside the installation, or its name cannot be resolved.
    """
    try:
        return await addresses(connector, config, allowed)
    except TransientError as error:
        problem = Problem("the name is unknown", field=_host_field(connector))
        raise InvalidConfig(error.message, hint=error.hint, problems=[problem]) from error


def _host_field(connector: Connector) -> str:
    return f"config.{connector.endpoint_fields[0]}" if connector.endpoint_fields else "config"


def checked_secrets(connector: Connector, given: Mapping[str, str]) -> dict[str, str]:
    """The secrets as plain values; empty ones are left out.

    Raises:
        InvalidConfig: one is unknown to the connector or of the wrong form.
    """
    return {
        name: value for name, value in _plain(_parsed(connector.secrets, given, "secrets")) if value
    }


def merged_secrets(stored: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """The secrets after a change: "***" stands for the stored value."""
    if given is None:
        return dict(stored)
    return {name: stored.get(name, "") if value == KEPT else value for name, value in given.items()}


async def file_refs(session: AsyncSession, config: Mapping[str, Any]) -> tuple[FileRef, ...]:
    """The files that a config names by the ids of their uploads.

    Raises:
        NotFound: one does not exist in this organization.
        InvalidConfig: two have the same name.
    """
    found = [await uploads.get(session, id) for id in config.get("uploads", ())]
    names = [upload.filename for upload in found]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidConfig(
            f"uploads: more than one file is called {', '.join(doubled)}",
            hint="a pipeline names files by their names; rename one and upload it again",
            problems=[Problem("two files have the same name", field="config.uploads")],
        )
    return tuple(map(file_ref, found))


def file_ref(upload: Upload) -> FileRef:
    """An upload as a file of an endpoint."""
    return FileRef(
        name=upload.filename,
        sha256=upload.sha256,
        size=upload.size,
        url=f"{INTERNAL_UPLOADS}/{upload.sha256}",
    )


def checked_direction(connector: Connector, given: str | None) -> str:
    """The direction as it is stored; by default all that the connector offers.

    Raises:
        InvalidConfig: the connector does not offer it.
    """
    offered = sorted(connector.directions)
    if given is None:
        return "both" if len(offered) > 1 else str(offered[0])
    wanted = {"source", "destination"} if given == "both" else {given}
    if not wanted <= set(offered):
        raise InvalidConfig(
            f"direction: {connector.label} can only be {' or '.join(offered)}",
            hint="choose another direction or connector",
            problems=[Problem("not offered by the connector", field="direction")],
        )
    return given


def keep_secrets_home(
    connector: Connector,
    configs: tuple[Mapping[str, Any], Mapping[str, Any]],
    stored: Mapping[str, str],
    given: Mapping[str, str] | None,
) -> None:
    """A stored secret goes only to the host it was saved with, or a change could fish for it.

    Raises:
        InvalidConfig: the endpoint changed and a stored secret was to be kept.
    """
    old, new = configs
    moved = [name for name in connector.endpoint_fields if old.get(name) != new.get(name)]
    kept = sorted(name for name in stored if given is None or given.get(name) == KEPT)
    if moved and kept:
        raise InvalidConfig(
            f"{', '.join(moved)} changed: enter {', '.join(kept)} again",
            hint="a stored secret is never sent to another host",
            problems=[Problem("enter it again", field=f"secrets.{name}") for name in kept],
        )


def _parsed(model: type[Model], given: Mapping[str, Any], part: str) -> Model:
    """The connector's own check, its problems named as the request's fields."""
    try:
        return parse(model, given)
    except InvalidConfig as error:
        problems = [replace(item, field=f"{part}.{item.field}") for item in error.problems]
        raise InvalidConfig(error.message, hint=error.hint, problems=problems) from None


def _plain(model: ConnectorModel) -> list[tuple[str, str]]:
    values = ((name, getattr(model, name)) for name in type(model).model_fields)
    return [
        (name, value.get_secret_value() if isinstance(value, SecretStr) else str(value or ""))
        for name, value in values
    ]
