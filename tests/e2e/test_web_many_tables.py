"""A source of very many tables in the browser: found, chosen, changed at once, saved.

By default 1,000 tables; `ETLFABRIC_TABLES` makes it more, up to five thousand. What the browser's
own clock says is printed; that the page holds no more rows than a screen can use is asserted.
"""

import os

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import browser as chrome
from tests.e2e.running import Stack
from tests.e2e.sources import Source
from tests.e2e.web_desk import walk

TABLES = min(int(os.environ.get("ETLFABRIC_TABLES", "1000")), 5000)
AT_ONCE = 1000  # tables made in one transaction; each holds a lock until its end
ROWS = 130  # a page of the picker, one of the chosen, their headers
MAKE = """
DO $$ BEGIN
  FOR n IN {first}..{last} LOOP
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, changed_at timestamptz)',
                   'table_' || lpad(n::text, 6, '0'));
  END LOOP;
END $$
"""
WATCH = """window.longTasks = [];
new PerformanceObserver((list) => {
    for (const one of list.getEntries()) window.longTasks.push(one.duration);
}).observe({type: "longtask", buffered: true});"""

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chrome.missing() is not None, reason=str(chrome.missing())),
    walk,
]


def database_of_tables(stack: Stack, name: str) -> Source:
    """A database of that many tables."""
    source = Source.create(stack, name)
    for first in range(0, TABLES, AT_ONCE):
        source.execute(MAKE.format(first=first, last=min(first + AT_ONCE, TABLES) - 1))
    return source


class Clock:
    """The browser's own: how long until something is there, and what kept it busy meanwhile."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.last = page.evaluate("performance.now()")

    def tell(self, what: str) -> None:
        """Prints the time since the last call, and the tasks of more than 50 ms in it."""
        now, tasks = self.page.evaluate("[performance.now(), window.longTasks.splice(0)]")
        longest = max(tasks, default=0)
        print(
            f"{what}, of {TABLES} tables: {now - self.last:.0f} ms;"
            f" {len(tasks)} long tasks, {sum(tasks):.0f} ms, the longest {longest:.0f} ms"
        )
        self.last = self.page.evaluate("performance.now()")


@pytest.mark.feature("C2", "C3", "X10")
def test_thousands_of_tables_stay_usable(stack: Stack, chromium: Browser) -> None:
    account = stack.sign_up("manytables")
    source = database_of_tables(stack, account.slug).connect(account)
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    page.add_init_script(WATCH)
    page.goto(f"/pipelines/new?source={source['id']}")
    pick(page)
    change_many(page)
    save(page)
    config = account.get(f"/pipelines/{chrome.number_in(page.url)}")["config"]
    assert len(config["resources"]) == TABLES
    kinds = [resource["write_disposition"] for resource in config["resources"]]
    assert (kinds.count("append"), kinds.count("merge")) == (10, TABLES - 10)
    assert config["batch_size"] == 20_000
    assert chrome.wrong(page) == []
    page.context.close()


def pick(page: Page) -> None:
    """Typing finds one of them; all are chosen by one click."""
    resources = page.get_by_role("table", name="Resources")
    expect(resources.get_by_role("checkbox", name="Load table_000000")).to_be_visible()
    clock = Clock(page)
    print(f"first rows after {page.evaluate('performance.now()'):.0f} ms from the navigation")
    few(page)
    rare = f"{TABLES - 1:06}"
    page.get_by_role("textbox", name="Search resources").press_sequentially(rare)
    expect(resources.get_by_role("checkbox")).to_have_count(2)
    clock.tell("searched")
    page.get_by_role("textbox", name="Search resources").fill("")
    expect(resources.get_by_role("checkbox", name="Load table_000000")).to_be_visible()
    clock.tell("all again")
    page.get_by_role("button", name="Choose all").click()
    expect(page.get_by_text(f"{TABLES:,} chosen")).to_be_visible()
    clock.tell("all chosen")
    few(page)
    page.get_by_role("button", name="Next", exact=True).click()


def change_many(page: Page) -> None:
    """Those that a search finds get another load, all others keep the proposed merge."""
    page.get_by_label("Pipeline name").fill("All of them")
    page.get_by_role("button", name="Next", exact=True).click()
    chosen = page.get_by_role("table", name="Chosen resources")
    expect(chosen.get_by_role("textbox", name="Table of table_000000")).to_be_visible()
    clock = Clock(page)
    few(page)
    search = page.get_by_role("textbox", name="Search chosen resources")
    search.press_sequentially("table_00001")
    expect(chosen.get_by_role("textbox", name="Table of table_000010")).to_be_visible()
    clock.tell("searched what is chosen")
    chosen.get_by_role("checkbox", name="Mark all that are found").check()
    expect(page.get_by_text("10 marked:")).to_be_visible()
    page.get_by_role("combobox", name="Load of all marked").click()
    page.get_by_role("option", name="append: add the rows").click()
    expect(chosen.get_by_role("combobox", name="How table_000010 is loaded")).to_have_value(
        "append: add the rows"
    )
    clock.tell("changed those that were found")
    search.fill("")
    expect(chosen.get_by_role("textbox", name="Table of table_000000")).to_be_visible()
    chosen.get_by_role("checkbox", name="Mark all that are found").check()
    expect(page.get_by_text(f"{TABLES:,} marked:")).to_be_visible()
    clock.tell("all marked")
    page.get_by_role("textbox", name="Cursor of all marked").fill("changed_at")
    page.get_by_role("button", name="Set cursor").click()
    cursor = chosen.get_by_role("combobox", name="Cursor of table_000000")
    expect(cursor).to_have_value("changed_at")
    clock.tell("cursors of all set")
    chosen.get_by_role("button", name="Load").click()
    expect(chosen.locator("th[aria-sort=ascending]")).to_have_text("Load")
    clock.tell("sorted by load")
    few(page)


def save(page: Page) -> None:
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.get_by_text(f"and {TABLES - 20:,} more")).to_be_visible()
    few(page)
    clock = Clock(page)
    page.get_by_role("button", name="Save pipeline").click()
    expect(page.get_by_role("heading", level=1, name="All of them")).to_be_visible()
    clock.tell("saved")
    chosen = page.get_by_role("table", name="Chosen resources")
    expect(chosen.get_by_role("textbox", name="Table of table_000000")).to_be_visible()
    clock.tell("shown on one page")
    few(page)
    page.get_by_label("Rows in memory at once").fill("20000")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved. Publish the workflow")).to_be_visible()
    clock.tell("saved again")


def few(page: Page) -> None:
    """However many tables there are, the page holds a screenful of rows."""
    assert page.locator("main tr").count() <= ROWS
