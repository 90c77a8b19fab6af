"""A real HTTP API, and a reader that asks it."""

from collections.abc import Iterator
from typing import Any

import pytest

from etlfabric_core.errors import FabricError
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources import open_reader
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig
from tests.api_server import ApiServer, Said, api_server

RECORDS = [{"id": number, "name": f"n{number}"} for number in range(1, 8)]


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with api_server() as running:
        yield running


def rows(
    api: ApiServer,
    *,
    connection: dict[str, Any] | None = None,
    secrets: dict[str, str] | None = None,
    selection: Selection | None = None,
    others: tuple[ResourceConfig, ...] = (),
    source: str = "items",
    **options: Any,
) -> list[dict[str, Any]]:
    resource = ResourceConfig(name="items", source=source, options=options)
    config = PipelineConfig(resources=(resource, *others))
    with open_reader(api.endpoint(secrets=secrets, **(connection or {})), {}, config) as reader:
        batches = list(reader.table(resource).read(selection or Selection()))
    return [row for batch in batches for row in batch.to_pylist()]


def error(api: ApiServer, **options: Any) -> FabricError:
    with pytest.raises(FabricError) as caught:
        rows(api, **options)
    return caught.value


def says(body: Any, **answer: Any):
    return lambda asked: Said(body, **answer)
