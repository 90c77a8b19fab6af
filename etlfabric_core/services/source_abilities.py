"""A pipeline asks nothing of its source that the connector cannot do."""

from collections.abc import Iterator

from etlfabric_core.connectors.record import Ability, Connector
from etlfabric_core.errors import InvalidConfig, Problem
from etlfabric_core.graph.configs import PipelineConfig

WORDS = {
    Ability.INCREMENTAL: "follow a cursor",
    Ability.TABLE_FILTER: "load some of its tables",
    Ability.ROW_FILTER: "filter rows",
    Ability.COUNT: "count its rows",
}


def require(connector: Connector, config: PipelineConfig) -> None:
    """Checks a configuration against the abilities of its source.

    Raises:
        InvalidConfig: it needs one that the connector has not; one problem per field.
    """
    problems = [
        Problem(f"{connector.label} cannot {WORDS[ability]}", field=f"config.{field}")
        for ability, field in _needed(config)
        if ability not in connector.abilities
    ]
    if problems:
        raise InvalidConfig(
            f"{problems[0].field}: {problems[0].message}",
            hint="leave it out, and select in a transformation",
            problems=problems,
        )


def _needed(config: PipelineConfig) -> Iterator[tuple[Ability, str]]:
    """The abilities that a configuration needs, and the fields that say so."""
    if config.table_names:
        yield Ability.TABLE_FILTER, "table_names"
    for place, resource in enumerate(config.resources):
        if resource.cursor is not None:
            yield Ability.INCREMENTAL, f"resources.{place}.cursor"
        if resource.filters:
            yield Ability.ROW_FILTER, f"resources.{place}.filters"
        if resource.verify_count:
            yield Ability.COUNT, f"resources.{place}.verify_count"
