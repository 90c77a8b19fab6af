"""Reads REST APIs page by page: records as columns, numbers exact, what is nested as JSON."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from etlfabric_core.connectors.files import FieldType
from etlfabric_core.connectors.record import DiscoveredColumn, Files, parse
from etlfabric_core.connectors.rest import Api, ApiOf, RestOptions
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.shape.selection import numbered, selected
from etlfabric_core.extract_load.source_table import Selection, SourceTable
from etlfabric_core.extract_load.sources import json_fields
from etlfabric_core.extract_load.sources.json_fields import Field
from etlfabric_core.extract_load.sources.rest_pages import Pages
from etlfabric_core.files.json_records import Record
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig

if TYPE_CHECKING:
    import pyarrow

OTHER = "other_fields"
MOST_GENERATIONS = 3
SAMPLE_RECORDS = 100


def reader_of(api_of: ApiOf) -> "Callable[..., AbstractContextManager[RestReader]]":
    """What opens a reader of connections that `api_of` understands."""

    @contextmanager
    def open_reader(
        endpoint: Endpoint, files: Files, config: PipelineConfig
    ) -> "Iterator[RestReader]":
        api = api_of(endpoint)
        with Pages.open(api) as pages:
            yield RestReader(api, pages, config)

    return open_reader


@dataclass(frozen=True)
class RestReader:
    """An open API."""

    api: Api
    pages: Pages
    config: PipelineConfig

    def names(self) -> list[str]:
        """The endpoints that are known before."""
        return list(self.api.known)

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The endpoint a resource reads.

        Raises:
            TerminalError: it does not answer with records, or its parent is missing.
            TransientError: it does not answer at all.
        """
        options = self.options(resource)
        fields, is_open = self._fields(resource, options)
        columns = json_fields.columns(fields)
        names = {field.name for field in fields}
        sort_out = _with_others if is_open else _without_others

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            records = self.records(resource, options, selection)
            checked = (sort_out(record, names) for record in records)
            batches = json_fields.batches(checked, fields, self.config.batch_size)
            return selected(numbered(batches), columns, selection, resource.given_types)

        key = self.api.keys.get(resource.source or resource.name, ())
        return SourceTable(resource.name, columns, read, key, are_seen=not is_open)

    def options(self, resource: ResourceConfig) -> RestOptions:
        """How a resource is read: as it says, else as is known of its endpoint."""
        source = resource.source or resource.name
        known = self.api.known.get(source, RestOptions())
        given = parse(RestOptions, resource.options).model_dump(exclude_unset=True)
        options = RestOptions.model_validate(known.model_dump(exclude_unset=True) | given)
        return options if options.path else options.model_copy(update={"path": source})

    def records(
        self, resource: ResourceConfig, options: RestOptions, selection: Selection
    ) -> Iterator[Record]:
        """The records of an endpoint; with a parent, of one address after the other.

        Raises:
            TerminalError, TransientError: the API refuses or does not answer.
        """
        number = 0
        for path, included in self._paths(resource, options, 1):
            for item, size in self.pages.items(path, options, selection):
                number += 1
                place = f"resource '{resource.name}', record {number}"
                if not isinstance(item, dict):
                    raise TerminalError(
                        f"{place}: it is no object", hint="`records` leads to the list of objects"
                    )
                yield Record(place, item | included, size)

    def _paths(
        self, resource: ResourceConfig, options: RestOptions, generation: int
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        parent = options.parent
        if parent is None:
            yield options.path, {}
            return
        if generation > MOST_GENERATIONS:
            raise TerminalError(
                f"resource '{resource.name}': more than {MOST_GENERATIONS} parents in a row",
                hint="resources cannot be parents of each other in a circle",
            )
        above = self._resource(parent.resource, resource.name)
        of_above = self.options(above)
        for path, _ in self._paths(above, of_above, generation + 1):
            for item, _size in self.pages.items(path, of_above, Selection()):
                values = {name: _value(item, field, above) for name, field in parent.params.items()}
                texts = {name: quote(str(value), safe="") for name, value in values.items()}
                included = {f"{parent.resource}_{name}": item.get(name) for name in parent.include}
                yield _filled(options.path, texts, resource.name), included

    def _resource(self, name: str, child: str) -> ResourceConfig:
        for resource in self.config.resources:
            if name == resource.name:
                return resource
        if name in self.api.known:
            return ResourceConfig(name=name)
        raise TerminalError(
            f"resource '{child}', options.parent: the pipeline has no resource '{name}'",
            hint="add it to the pipeline, or correct the name",
        )

    def _fields(
        self, resource: ResourceConfig, options: RestOptions
    ) -> tuple[Sequence[Field], bool]:
        """The fields, and whether others have a place of their own."""
        if options.fields:
            given = {name: Field(name, kind) for name, kind in options.fields.items()}
            for name in _included(options):
                given.setdefault(name, Field(name, FieldType.TEXT))
            return [*given.values(), Field(OTHER, FieldType.JSON)], True
        first = list(islice(self.records(resource, options, Selection(limit=1)), SAMPLE_RECORDS))
        found = json_fields.inferred(first, {}, resource.given_types)
        return found or [Field(OTHER, FieldType.JSON)], not found


def answered(api: Api) -> str:
    """What the API says to a request for one page.

    Raises:
        InvalidConfig, TerminalError, TransientError: it does not answer, or refuses.
    """
    path = api.config.test_path or next((known.path for known in api.known.values()), "")
    with Pages.open(api, waits=()) as pages:
        status = pages.status(path)
    return f"the API answers {status}"


def described(api: Api, source: str) -> tuple[DiscoveredColumn, ...]:
    """The fields of the first records of an endpoint.

    Raises:
        TerminalError, TransientError: it does not answer with records.
    """
    resource = ResourceConfig(name="records", source=source)
    with Pages.open(api, waits=()) as pages:
        reader = RestReader(api, pages, PipelineConfig(resources=(resource,)))
        options = reader.options(resource)
        first = islice(reader.records(resource, options, Selection()), SAMPLE_RECORDS)
        return json_fields.discovered(list(first))


def _included(options: RestOptions) -> list[str]:
    parent = options.parent
    return [f"{parent.resource}_{name}" for name in parent.include] if parent else []


def _with_others(record: Record, names: set[str]) -> Record:
    others = {name: value for name, value in record.fields.items() if name not in names}
    return Record(record.place, {**record.fields, OTHER: others or None}, record.size)


def _without_others(record: Record, names: set[str]) -> Record:
    for name, value in record.fields.items():
        if value is not None and name not in names:
            raise TerminalError(
                f"{record.place}: field '{name}' has a value for the first time",
                hint="name the fields that you want, with their types, in the resource's `fields`; "
                f"all others then travel in {OTHER}",
            )
    return record


def _value(item: Any, field: str, above: ResourceConfig) -> Any:
    value = item.get(field) if isinstance(item, dict) else None
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise TerminalError(
            f"resource '{above.name}': a record has no '{field}' for the path of its children",
            hint="choose a field that every record has",
        )
    return value


def _filled(path: str, values: dict[str, str], name: str) -> str:
    try:
        return path.format_map(values)
    except KeyError:
        raise TerminalError(
            f"resource '{name}', path: a name in braces has no field of the parent",
            hint=f"there are: {', '.join(values)}",
        ) from None
