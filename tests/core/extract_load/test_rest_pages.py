"""Each paginator reads every record once, waits when told to, and notices pages without end."""

from types import SimpleNamespace
from typing import Any

import pytest

from etlfabric_core.errors import TerminalError, TransientError
from etlfabric_core.extract_load.sources import rest_session
from tests.api_server import ApiServer, Asked, Said
from tests.core.extract_load.rest_world import RECORDS, api, error, rows, says

__all__ = ["api"]  # a fixture
pytestmark = pytest.mark.feature("B4")


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The seconds that the reader would have waited."""
    slept: list[float] = []
    monkeypatch.setattr(rest_session, "time", SimpleNamespace(sleep=slept.append, monotonic=float))
    return slept


def paged(wrap):
    """A route that cuts three records to a page and wraps them with the number of the page."""

    def route(asked: Asked) -> Said:
        number = int(asked.query.get("page", 1))
        return wrap(RECORDS[(number - 1) * 3 : number * 3], number)

    return route


def linked(api: ApiServer, records: list[Any], number: int) -> str | None:
    return f"{api.url}/items?page={number + 1}" if number * 3 < len(RECORDS) else None


PAGINATORS = {
    "json_link": (
        {"type": "json_link", "next_path": "links.next"},
        lambda api: paged(
            lambda found, page: Said({"data": found, "links": {"next": linked(api, found, page)}})
        ),
    ),
    "json_link, empty at the end": (
        {"type": "json_link"},
        lambda api: paged(
            lambda found, page: Said({"data": found, "next": linked(api, found, page) or ""})
        ),
    ),
    "header_link": (
        {"type": "header_link"},
        lambda api: paged(
            lambda found, page: Said(
                {"data": found},
                headers={"Link": f'<{link}>; rel="next"'}
                if (link := linked(api, found, page))
                else {},
            )
        ),
    ),
    "page_number": (
        {"type": "page_number"},
        lambda api: paged(lambda found, page: Said({"data": found})),
    ),
    "offset": (
        {"type": "offset", "limit": 3},
        lambda api: (
            lambda asked: Said(
                {
                    "data": RECORDS[int(asked.query["offset"]) :][: int(asked.query["limit"])],
                }
            )
        ),
    ),
    "cursor": (
        {"type": "cursor", "cursor_path": "meta.after", "cursor_param": "after"},
        lambda api: (
            lambda asked: Said(
                {
                    "data": RECORDS[int(asked.query.get("after", 0)) :][:3],
                    "meta": {
                        "after": after
                        if (after := int(asked.query.get("after", 0)) + 3) < len(RECORDS)
                        else None
                    },
                }
            )
        ),
    ),
    "auto": (
        {"type": "auto"},
        lambda api: paged(
            lambda found, page: Said({"data": found, "next": linked(api, found, page)})
        ),
    ),
    "single_page": ({"type": "single_page"}, lambda api: says({"data": RECORDS})),
}


@pytest.mark.parametrize("kind", PAGINATORS)
def test_every_paginator_reads_every_record_once(api, kind):
    paginator, route = PAGINATORS[kind]
    api.routes["/items"] = route(api)
    found = rows(api, paginator=paginator, records="data")
    assert found == RECORDS


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([Said(status=429, headers={"Retry-After": "7"})], [7.0]),
        ([Said(status=503), Said(status=500), Said(status=502)], [1.0, 2.0, 4.0]),
    ],
)
def test_it_waits_as_it_is_told_and_asks_again(api, waits, answers, expected):
    api.routes["/items"] = lambda asked: answers.pop(0) if answers else Said(RECORDS)
    assert rows(api, fields={"id": "integer", "name": "text"})[0]["id"] == 1
    assert waits == expected


def test_it_does_not_wait_for_ever(api, waits):
    api.routes["/items"] = says(None, status=429, headers={"Retry-After": "86400"})
    caught = error(api)
    assert isinstance(caught, TransientError)
    assert "asks to wait 86400 s" in caught.message
    api.routes["/items"] = says(None, status=500)
    caught = error(api)
    assert isinstance(caught, TransientError)
    assert "answers 500, however often" in caught.message
    assert waits == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("kind", ["json_link", "page_number", "cursor"])
def test_pages_without_end_are_noticed(api, kind):
    body = {"data": RECORDS, "next": f"{api.url}/items", "next_cursor": "same"}
    api.routes["/items"] = says(body)
    caught = error(api, paginator={"type": kind}, records="data", fields={"id": "integer"})
    assert isinstance(caught, TerminalError)
    assert "the same records come again" in caught.message
    assert len(api.asked) <= 3
