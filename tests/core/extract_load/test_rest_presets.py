"""GitHub and Stripe against local stand-ins that keep to the documented contracts of their APIs."""

from collections.abc import Iterator

import pytest

from etlfabric_core.connectors import get_connector
from etlfabric_core.connectors.record import TableKind, TableQuery
from tests.api_server import ApiServer, Asked, Said, api_server
from tests.loading import Warehouse, plan, run

pytestmark = pytest.mark.feature("B4")

ISSUES = [
    {
        "id": 10 + number,
        "number": number,
        "title": f"Issue {number}",
        "user": {"login": "octocat"},
        "labels": [{"name": "bug"}],
        "updated_at": f"2024-05-0{number}T00:00:00Z",
        "reactions": {"+1": number},
    }
    for number in range(1, 6)
]
CHARGES = [
    {
        "id": f"ch_{number}",
        "object": "charge",
        "amount": number * 100,
        "created": 1_700_000_000 + number,
    }
    for number in range(5, 0, -1)
]


@pytest.fixture
def standin() -> Iterator[ApiServer]:
    with api_server() as running:
        yield running


def github_issues(standin: ApiServer):
    """Two to a page, the next one in the Link header; `since` by the time of the last change."""

    def route(asked: Asked) -> Said:
        if asked.headers.get("Authorization") != "Bearer ghp_test":
            return Said({"message": "Bad credentials"}, 401)
        page, since = int(asked.query.get("page", 1)), asked.query.get("since", "")
        found = [issue for issue in ISSUES if issue["updated_at"] >= since]
        headers = {}
        if page * 2 < len(found):
            more = f"&since={since}" if since else ""
            headers["Link"] = (
                f"<{standin.url}/repos/acme/shop/issues?page={page + 1}{more}>; "
                f'rel="next", <{standin.url}/x>; rel="last"'
            )
        return Said(found[(page - 1) * 2 : page * 2], headers=headers)

    return route


def stripe_charges(asked: Asked) -> Said:
    """Newest first, two to a page, the next one by `starting_after`; bounds by `created`."""
    if asked.headers.get("Authorization") != "Bearer sk_test":
        return Said({"error": {"type": "invalid_request_error"}}, 401)
    low = int(asked.query.get("created[gte]", 0))
    found = [charge for charge in CHARGES if charge["created"] >= low]
    if after := asked.query.get("starting_after"):
        places = [charge["id"] for charge in found]
        found = found[places.index(after) + 1 :]
    return Said({"object": "list", "data": found[:2], "has_more": len(found) > 2})


def test_github_issues_are_loaded_and_then_the_changed_ones(
    standin, warehouse: Warehouse, tmp_path
):
    standin.routes["/repos/acme/shop/issues"] = github_issues(standin)
    source = standin.endpoint("github", {"token": "ghp_test"}, owner="acme", repository="shop")
    resource = {
        "name": "issues",
        "write_disposition": "merge",
        "primary_key": ["id"],
        "cursor": {"column": "updated_at"},
    }
    first = run(plan(warehouse, source, resource), tmp_path / "one", {})
    assert [table.loaded for table in first.tables] == [5]
    assert standin.asked[0].query == {
        "per_page": "100",
        "state": "all",
        "sort": "updated",
        "direction": "asc",
    }
    second = run(plan(warehouse, source, resource), tmp_path / "two", {})
    assert standin.asked[-1].query["since"] == "2024-05-05T00:00:00Z"
    assert [table.extracted for table in second.tables] <= [1]
    assert warehouse.execute(
        "select id, title, \"user\"->>'login', labels->0->>'name', "
        "other_fields->'reactions'->>'+1', updated_at::date::text from issues order by id"
    ) == [(10 + n, f"Issue {n}", "octocat", "bug", str(n), f"2024-05-0{n}") for n in range(1, 6)]


def test_stripe_charges_are_loaded_and_then_the_newer_ones(standin, warehouse, tmp_path):
    standin.routes["/charges"] = stripe_charges
    source = standin.endpoint("stripe", {"secret_key": "sk_test"})
    resource = {
        "name": "charges",
        "write_disposition": "merge",
        "primary_key": ["id"],
        "cursor": {"column": "created"},
    }
    first = run(plan(warehouse, source, resource), tmp_path / "one", {})
    assert [table.loaded for table in first.tables] == [5]
    assert [asked.query.get("starting_after") for asked in standin.asked] == [None, "ch_4", "ch_2"]
    run(plan(warehouse, source, resource), tmp_path / "two", {})
    assert standin.asked[-1].query["created[gte]"] == "1700000005"
    assert warehouse.execute("select id, amount from charges order by id") == [
        (f"ch_{n}", n * 100) for n in range(1, 6)
    ]


@pytest.mark.parametrize(
    ("name", "config", "secrets", "path"),
    [
        (
            "github",
            {"owner": "acme", "repository": "shop"},
            {"token": "ghp_test"},
            "/repos/acme/shop/issues",
        ),
        ("stripe", {}, {"secret_key": "sk_test"}, "/charges"),
    ],
)
def test_a_preset_is_tested_and_lists_its_endpoints(standin, name, config, secrets, path):
    connector = get_connector(name)
    standin.routes["/repos/acme/shop/issues"] = github_issues(standin)
    standin.routes["/customers"] = standin.routes["/charges"] = stripe_charges
    assert connector.test(standin.endpoint(name, secrets, **config), {}).ok
    wrong = dict.fromkeys(secrets, "wrong")
    refused = connector.test(standin.endpoint(name, wrong, **config), {})
    assert "the API answers 401" in refused.message
    page = connector.browse.tables(standin.endpoint(name, secrets, **config), {}, TableQuery())
    names = [table.source for table in page.tables]
    assert path.rpartition("/")[2] in names
    assert {table.kind for table in page.tables} == {TableKind.ENDPOINT}
    found = connector.browse.columns(
        standin.endpoint(name, secrets, **config), {}, path.rpartition("/")[2]
    )
    assert "id" in {column.name for column in found}


@pytest.mark.parametrize(
    ("name", "host"), [("github", "api.github.com"), ("stripe", "api.stripe.com")]
)
def test_without_an_own_server_it_is_the_real_one(name, host):
    connector = get_connector(name)
    given = {"owner": "acme", "repository": "shop"} if name == "github" else {}
    config = connector.config.model_validate(given).model_dump()
    assert connector.hosts_of(config) == (host,)
    assert config["base_url"].startswith(f"https://{host}")
