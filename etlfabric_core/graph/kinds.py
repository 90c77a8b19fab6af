"""Node kinds and their ports, as data. A new kind is a config model and a row here."""

from dataclasses import dataclass
from enum import StrEnum

from etlfabric_core.errors import InvalidConfig
from etlfabric_core.graph.columns import Config
from etlfabric_core.graph.configs import ModelConfig, PipelineConfig, SnapshotConfig


class Port(StrEnum):
    """What flows along an edge."""

    TRIGGER = "TRIGGER"
    TABLE = "TABLE"
    FILE = "FILE"
    ML_MODEL = "ML_MODEL"


@dataclass(frozen=True)
class Kind:
    """One kind of node: the ports it accepts, the port it offers, and its configuration."""

    name: str
    label: str
    inputs: frozenset[Port]
    output: Port
    config: type[Config]

    @property
    def is_transformation(self) -> bool:
        """Whether dbt runs it."""
        return self.name.startswith("dbt_")


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "pipeline",
            "Pipeline",
            frozenset({Port.TRIGGER, Port.TABLE}),
            Port.TABLE,
            PipelineConfig,
        ),
        Kind("dbt_model", "Model", frozenset({Port.TABLE}), Port.TABLE, ModelConfig),
        Kind("dbt_snapshot", "Snapshot", frozenset({Port.TABLE}), Port.TABLE, SnapshotConfig),
    )
}


def get_kind(name: str) -> Kind:
    """The kind of that name.

    Raises:
        InvalidConfig: there is none; the message lists those that exist.
    """
    if name not in KINDS:
        raise InvalidConfig(f"unknown node kind '{name}'", hint=f"one of: {', '.join(KINDS)}")
    return KINDS[name]
