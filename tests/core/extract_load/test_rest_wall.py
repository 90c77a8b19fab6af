"""Answers of an API lead nowhere else, fill no memory and tell nothing that is secret."""

import pytest

from etlfabric_core.errors import TerminalError
from tests.api_server import Said, api_server
from tests.core.extract_load.rest_world import RECORDS, api, error, rows, says

__all__ = ["api"]  # a fixture
pytestmark = pytest.mark.feature("B4")


@pytest.mark.parametrize("way", ["next link", "header link", "redirect"])
@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/",
        "http://localhost:{other}/items",
        "http://127.0.0.1:{other}/items",
        "http://127.0.0.1.nip.io/items",
        "http://user@127.0.0.1:{other}/items",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "//127.0.0.1:{other}/items",
    ],
)
def test_no_answer_leads_to_another_place(api, way, target):
    with api_server() as canary:
        canary.routes["/items"] = says(RECORDS)
        url = target.format(other=canary.port)
        answers = {
            "next link": Said({"data": RECORDS, "next": url}),
            "header link": Said({"data": RECORDS}, headers={"Link": f'<{url}>; rel="next"'}),
            "redirect": Said(status=302, headers={"Location": url}),
        }
        kinds = {"next link": "json_link", "header link": "header_link", "redirect": "single_page"}
        api.routes["/items"] = says(
            answers[way].body, status=answers[way].status, headers=answers[way].headers
        )
        caught = error(
            api,
            connection={"auth": "bearer"},
            secrets={"token": "canary-4711"},
            paginator={"type": kinds[way]},
            records="data",
            fields={"id": "integer"},
        )
        assert "leads to another place" in caught.message or "not an address" in caught.message
        assert "canary" not in caught.message
        assert canary.asked == []


def test_a_redirect_on_the_same_server_is_followed_and_signed(api):
    api.routes["/items"] = says(None, status=302, headers={"Location": "/moved"})
    api.routes["/moved"] = says(RECORDS)
    found = rows(api, connection={"auth": "bearer"}, secrets={"token": "t"})
    assert found == RECORDS
    assert {asked.headers["Authorization"] for asked in api.asked} == {"Bearer t"}


def test_a_name_is_connected_to_at_its_checked_address_only(api):
    api.routes["/items"] = says(RECORDS)
    found = rows(api, connection={"base_url": f"http://api.invalid:{api.port}"})
    assert found == RECORDS
    assert api.asked[0].headers["Host"] == f"api.invalid:{api.port}"


@pytest.mark.parametrize(
    ("answer", "options", "words"),
    [
        (Said("<html>"), {}, "/items: the answer is not JSON"),
        (Said("[" * 100_000), {}, "/items: the answer is not JSON"),
        (Said('[{"a":1,"a":2}]'), {}, "/items: the answer is not JSON"),
        (Said([1, 2]), {}, "record 1: it is no object"),
        (Said({"data": []}), {"records": "rows"}, "the answer has nothing at 'rows'"),
        (Said({"data": []}), {"records": "[["}, "does not have what its paginator looks for"),
        (Said({"data": [1]}), {"paginator": {"type": "cursor"}}, "no object"),
        (Said(None, 401), {}, "/items: the API answers 401"),
        (Said(None, 404), {}, "/items: the API answers 404"),
        (Said(b" " * (65 << 20)), {}, "an answer is larger than 64 MiB"),
    ],
)
def test_what_is_no_answer_is_told_without_its_text(api, answer, options, words):
    api.routes["/items"] = says(answer.body, status=answer.status)
    caught = error(api, **options)
    assert isinstance(caught, TerminalError)
    assert words in caught.message
    assert caught.hint


def test_a_bomb_is_not_unpacked(api):
    import gzip

    packed = gzip.compress(b" " * (70 << 20))
    api.routes["/items"] = says(packed, headers={"Content-Encoding": "gzip"})
    assert "larger than 64 MiB" in error(api).message
