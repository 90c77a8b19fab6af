"""Bodies of the registries."""

from typing import Any

from api.datamodels.base import Answer
from etlfabric_core.access.permissions import Permission, Role
from etlfabric_core.connectors.loading import Guarantee, LoadAbility
from etlfabric_core.graph.resources import MergeStrategy, WriteDisposition


class LoadingOut(Answer):
    """What a connector does as a destination, and how often a row arrives."""

    dispositions: list[WriteDisposition]
    strategies: list[MergeStrategy]
    abilities: list[LoadAbility]
    guarantee: Guarantee


class LoadingWhenOut(Answer):
    """What it does instead where a field of a connection's config has this value."""

    field: str
    value: str
    loading: LoadingOut


class ConnectorOut(Answer):
    """A connector: which side it can be, and the JSON Schemas of its config and secrets.

    `resource_options` is that of the `options` of a pipeline's resource.
    `abilities` are what it does as a source, `loading` as a destination unless `loading_when` has
    something else for the connection's config; `extra` names drivers that the operator may still
    have to install.
    """

    name: str
    label: str
    description: str
    directions: list[str]
    files: bool
    abilities: list[str]
    loading: LoadingOut | None
    loading_when: list[LoadingWhenOut]
    extra: str | None
    config: dict[str, Any]
    secrets: dict[str, Any]
    resource_options: dict[str, Any]


class KindOut(Answer):
    """A node kind: its ports, and the JSON Schema of its config."""

    name: str
    label: str
    inputs: list[str]
    output: str
    is_transformation: bool
    config: dict[str, Any]


class RoleOut(Answer):
    """A role and what it may do."""

    name: Role
    permissions: list[Permission]
