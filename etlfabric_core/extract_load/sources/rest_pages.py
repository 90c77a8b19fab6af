"""Pages of one endpoint of a REST API, by dlt's client and paginators, and never without end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from requests import Session

from etlfabric_core.connectors.rest import Api, Incremental, Paginator, RestOptions
from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.source_table import Selection
from etlfabric_core.extract_load.sources.rest_session import (
    WAITS,
    api_session,
    auth_of,
    require_good,
)

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client import RESTClient

MAX_PAGES = 100_000
MAX_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Pages:
    """An API that can be asked."""

    api: Api
    session: Session
    client: "RESTClient"

    @classmethod
    @contextmanager
    def open(cls, api: Api, *, waits: tuple[float, ...] = WAITS) -> "Iterator[Pages]":
        """A session with the API, closed at the end; `waits` are seconds between its tries.

        Raises:
            InvalidConfig: the host was not looked up, or a secret is missing.
        """
        from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration

        with api_session(api, waits) as session:
            client = _client_class()(
                base_url=api.config.base_url,
                auth=auth_of(api, waits),
                session=session,
                config=RuntimeConfiguration(),
            )
            yield cls(api, session, client)

    def status(self, path: str) -> int:
        """The status of one good answer.

        Raises:
            TerminalError, TransientError: there is none.
        """
        answer = self.client.get(path, hooks={"response": [require_good]})
        return int(answer.status_code)

    def items(
        self, path: str, options: RestOptions, selection: Selection
    ) -> Iterator[tuple[Any, int]]:
        """The records of all pages, each with its share of the bytes of its page.

        Raises:
            TerminalError: the API refuses, leads elsewhere, or pages go round in a circle.
            TransientError: it does not answer, or it takes too long.
        """
        seen: set[str] = set()
        last_body, deadline = b"", time.monotonic() + MAX_SECONDS
        pages = self.client.paginate(
            path,
            params=dict(options.params) | _bounds(options.incremental, selection),
            paginator=PAGINATORS[options.paginator.type](options.paginator),
            data_selector=options.records or None,
            hooks={"response": [require_good]},
        )
        for number, page in enumerate(_told(pages, path), start=1):
            body = page.response.content
            yield from ((item, len(body) // len(page)) for item in page)
            following = f"{page.request.url} {sorted((page.request.params or {}).items())}"
            goes_on = page.paginator.has_next_page
            if goes_on and (following in seen or (page and body == last_body)):
                raise TerminalError(
                    f"{path}: after page {number} the same records come again",
                    hint="check the paginator: the API does not turn the page that way",
                )
            seen.add(following)
            last_body = body
            _require_end(path, number, deadline)


def _require_end(path: str, number: int, deadline: float) -> None:
    if number >= MAX_PAGES:
        raise TerminalError(
            f"{path}: more than {MAX_PAGES} pages", hint="ask for more records to a page"
        )
    if time.monotonic() > deadline:
        raise TransientError(
            f"{path}: the pages took longer than {MAX_SECONDS // 3600} hours",
            hint="load less at once, by a cursor",
        )


def _told(pages: Iterator[Any], path: str) -> Iterator[Any]:
    """The pages; what dlt's paginators complain of, without the answer that they repeat."""
    from dlt.sources.helpers.rest_client.exceptions import PaginatorNotFound
    from jsonpath_ng.exceptions import JSONPathError

    try:
        yield from pages
    except (ValueError, PaginatorNotFound, JSONPathError):
        raise TerminalError(
            f"{path}: the answer does not have what its paginator looks for",
            hint="check the paginator's paths and names against an answer of the API",
        ) from None


def _client_class() -> type["RESTClient"]:
    from dlt.common import jsonpath
    from dlt.sources.helpers.rest_client import RESTClient

    class Client(RESTClient):  # type: ignore[misc]
        """dlt's client, for which records that are not where they should be are none."""

        def extract_response(self, response: Any, data_selector: Any) -> list[Any]:
            found = jsonpath.find_values(data_selector, response.json())
            if not found:
                raise TerminalError(
                    f"the answer has nothing at '{data_selector}'",
                    hint="`records` is the JSONPath of the records, for example data.items",
                )
            records = found[0] if len(found) == 1 else found
            if records is None:
                return []
            return records if isinstance(records, list) else [records]

    return Client


def _bounds(incremental: Incremental | None, selection: Selection) -> dict[str, Any]:
    if incremental is None:
        return {}
    window = selection.window
    start = window.start if window else selection.at_least
    bounds = {incremental.start_param: start, incremental.end_param: window and window.end}
    return {
        name: _written(value, incremental.format)
        for name, value in bounds.items()
        if name and value is not None
    }


def _written(value: Any, form: str) -> Any:
    if isinstance(value, datetime):
        value = value.astimezone(UTC)
        if form == "epoch":
            return int(value.timestamp())
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _module() -> Any:
    from dlt.sources.helpers.rest_client import paginators

    return paginators


def _json_link(given: Paginator) -> Any:
    class Links(_module().JSONLinkPaginator):  # type: ignore[misc]
        def update_state(self, response: Any, data: Any = None) -> None:
            super().update_state(response, data)
            reference: Any = self._next_reference  # type: ignore[has-type]
            self._next_reference = reference or None  # some write "" for "no more"

    return Links(given.next_path)


PAGINATORS: dict[str, Callable[[Paginator], Any]] = {
    "auto": lambda given: None,
    "single_page": lambda given: _module().SinglePagePaginator(),
    "json_link": _json_link,
    "header_link": lambda given: _module().HeaderLinkPaginator(given.link_name),
    "offset": lambda given: _module().OffsetPaginator(
        limit=given.limit,
        offset_param=given.offset_param,
        limit_param=given.limit_param,
        total_path=None,
        has_more_path=given.has_more_path or None,
    ),
    "page_number": lambda given: _module().PageNumberPaginator(
        base_page=given.first_page,
        page_param=given.page_param,
        total_path=None,
        has_more_path=given.has_more_path or None,
    ),
    "cursor": lambda given: _module().JSONResponseCursorPaginator(
        cursor_path=given.cursor_path,
        cursor_param=given.cursor_param,
        has_more_path=given.has_more_path or None,
    ),
}
