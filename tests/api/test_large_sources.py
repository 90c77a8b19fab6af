"""A source of very many tables: the first page, a search and the page after it, whole and sorted.

By default 1,000 tables; `ETLFABRIC_TABLES=20000` makes it twenty thousand. How long each answer
took over the API is printed, and the time that the child of the probe had a processor.
"""

import os
import resource
import time
from typing import Any

import pytest

from tests.api.conftest import MakeOrg, OrgClient
from tests.api.test_listings import Source, connected, source

__all__ = ["source"]

TABLES = int(os.environ.get("ETLFABRIC_TABLES", "1000"))
AT_ONCE = 1000  # tables made in one transaction; each holds a lock until its end
NAMES = [f"table_{number:06}" for number in range(TABLES)]
MAKE = """
DO $$ BEGIN
  FOR n IN {first}..{last} LOOP
    EXECUTE format('CREATE TABLE %1$I (id int PRIMARY KEY, at timestamptz);'
                   'GRANT SELECT ON %1$I TO PUBLIC', 'table_' || lpad(n::text, 6, '0'));
  END LOOP;
END $$
"""


async def asked(org: OrgClient, what: str, path: str, **query: Any) -> dict[str, Any]:
    began, computed = time.perf_counter(), children_seconds()
    answer = await org.get(path, params=query)
    took, computed = time.perf_counter() - began, children_seconds() - computed
    print(f"{what}, of {TABLES} tables: {took:.3f} s, computing {computed:.3f} s")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def names(page: dict[str, Any]) -> list[str]:
    return [item["name"] for item in page["items"]]


@pytest.mark.feature("B8", "X10")
async def test_pages_of_a_source_of_many_tables(make_org: MakeOrg, source: Source) -> None:
    for first in range(0, TABLES, AT_ONCE):
        last = min(first + AT_ONCE, TABLES) - 1
        await source.admin.execute(MAKE.format(first=first, last=last))
    org = await make_org()
    one = await connected(org, source)
    page = await asked(org, "first page", f"{one}/tables", limit=100)
    assert names(page) == NAMES[:100]
    assert page["items"][0]["primary_key"] == ["id"]
    after = await asked(org, "next page", f"{one}/tables", limit=100, cursor=page["next_cursor"])
    assert names(after) == NAMES[100:200]
    rare = NAMES[-1].removeprefix("table_")
    found = await asked(org, "search", f"{one}/tables", search=rare)
    assert names(found) == [name for name in NAMES if rare in name]
    columns = await asked(org, "columns", f"{one}/columns", table=NAMES[-1])
    assert [column["name"] for column in columns["items"]] == ["id", "at"]
    again = await asked(org, "first page again", f"{one}/tables", limit=100)
    assert again == page
