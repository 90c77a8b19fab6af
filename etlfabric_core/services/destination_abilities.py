"""A pipeline asks nothing of its destination that the connector cannot do."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from etlfabric_core.connectors.loading import LoadAbility, Loading
from etlfabric_core.connectors.record import Connector
from etlfabric_core.errors import Conflict, InvalidConfig, Problem
from etlfabric_core.graph.configs import PipelineConfig, SchemaPolicy
from etlfabric_core.graph.resources import ResourceConfig, SchemaContract, WriteDisposition

WORDS = {
    LoadAbility.DELETES: ("deletes", "compare keys to find deleted rows"),
    LoadAbility.COUNT: ("verify_count", "count the rows of a table"),
    LoadAbility.CONTRACT: ("contract", "hold a table against a contract"),
    LoadAbility.QUARANTINE: ("on_bad_row", "keep rejected rows"),
}


def require(connector: Connector, endpoint: Mapping[str, Any], config: PipelineConfig) -> None:
    """Checks a configuration against what its destination does; `endpoint` is the latter's own.

    Raises:
        InvalidConfig: it asks for more; one problem per field.
    """
    loading = connector.loading_of(endpoint)
    if loading is None:
        return  # its direction is refused elsewhere
    problems = [
        Problem(f"{connector.label} {words}", field=f"config.resources.{place}.{field}")
        for place, resource in enumerate(config.resources)
        for field, words in _asked_too_much(resource, loading)
    ]
    changes = config.schema_changes
    if changes is not SchemaPolicy.APPLY and LoadAbility.CONTRACT not in loading.abilities:
        words = f"{connector.label} cannot {changes} schema changes: files bind no later file"
        problems.append(Problem(words, field="config.schema_changes"))
    if problems:
        raise InvalidConfig(
            f"{problems[0].field}: {problems[0].message}",
            hint="choose what is possible there, or load into the managed warehouse",
            problems=problems,
        )


def require_state(connector: Connector, endpoint: Mapping[str, Any]) -> None:
    """Checks that where the next load begins can be seen at a destination.

    Raises:
        Conflict: it cannot.
    """
    loading = connector.loading_of(endpoint)
    if loading is None or LoadAbility.STATE not in loading.abilities:
        raise Conflict(
            f"the state of a pipeline that loads into {connector.label} cannot be shown or changed",
            hint="its loads go on where the last one ended; to begin anew, load into a new dataset",
        )


def require_backfill(connector: Connector, endpoint: Mapping[str, Any], pipeline: str) -> None:
    """Checks that the rows of a window can be replaced at a pipeline's destination.

    Raises:
        Conflict: they cannot.
    """
    loading = connector.loading_of(endpoint)
    if loading is None or LoadAbility.BACKFILL not in loading.abilities:
        raise Conflict(
            f"pipeline '{pipeline}' loads into {connector.label}, "
            "which cannot give up the rows of a window for new ones",
            hint="move the pipeline to a workflow of its own, or load into a database",
        )


def _asked_too_much(resource: ResourceConfig, loading: Loading) -> Iterator[tuple[str, str]]:
    how = resource.write_disposition
    if how not in loading.dispositions:
        yield "write_disposition", f"cannot {how}; possible: {_listed(loading.dispositions)}"
    elif how is WriteDisposition.MERGE and resource.merge_strategy not in loading.strategies:
        possible = _listed(loading.strategies)
        yield "merge_strategy", f"cannot merge by {resource.merge_strategy}; possible: {possible}"
    for ability in _needed(resource):
        if ability not in loading.abilities:
            field, words = WORDS[ability]
            yield field, f"cannot {words}"


def _needed(resource: ResourceConfig) -> Iterator[LoadAbility]:
    if resource.deletes != "none":
        yield LoadAbility.DELETES
    if resource.verify_count:
        yield LoadAbility.COUNT
    if resource.contract != SchemaContract():
        yield LoadAbility.CONTRACT
    if resource.has_quarantine:
        yield LoadAbility.QUARANTINE


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
