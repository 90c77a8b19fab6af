"""A newcomer's way through the web interface, on the real stack in real Chromium."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e import browser as chrome
from tests.e2e.running import Stack

PEOPLE = b"id,name,city\n1,Ada,London\n2,Grace,New York\n3,Edsger,Rotterdam\n"
GOOD_SQL = "select id, upper(name) as name\nfrom {{ source('raw', 'people') }}"
BROKEN_SQL = "select id,\n  upper(name as name\nfrom {{ source('raw', 'people') }}"
BROKEN_JINJA = "select id,\n  name\nfrom {{ source('raw', 'people') "
ORGANIZATION = "journey"
RUN_MS = 240_000

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chrome.missing() is not None, reason=str(chrome.missing())),
]


@pytest.mark.feature("A3", "B9", "C2", "D1", "D10", "D11", "F4", "F5", "G4")
def test_from_a_csv_file_to_rows_and_back_from_broken_sql(stack: Stack, chromium: Browser) -> None:
    """Sign up, load a file, transform it, run, see the rows; break the SQL and mend it."""
    page = chrome.new_page(chromium, stack)
    chrome.sign_up(page, ORGANIZATION)
    expect(page.get_by_test_id("organization")).to_have_text(ORGANIZATION)
    connect_file(page)
    make_pipeline(page)
    make_transformation(page)
    publish_and_run(page)
    see_rows(page)
    break_and_mend(page)
    assert chrome.wrong(page) == []


def connect_file(page: Page) -> None:
    page.get_by_role("link", name="Connect your first source").click()
    page.get_by_role("link", name="CSV files").click()
    page.get_by_role("textbox", name="Name", exact=True).fill("My people")
    page.locator("input[type=file]").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": PEOPLE}
    )
    expect(page.get_by_role("button", name="Remove people.csv")).to_be_visible()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It works")).to_be_visible()
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_role("heading", level=1, name="My people")).to_be_visible()


def make_pipeline(page: Page) -> None:
    page.get_by_role("link", name="New pipeline from it").click()
    page.get_by_role("checkbox", name="Load people.csv").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Pipeline name").fill("People")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("textbox", name="Table of people.csv")).to_have_value("people")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Save pipeline").click()
    expect(page.get_by_role("heading", level=1, name="People")).to_be_visible()


def make_transformation(page: Page) -> None:
    page.get_by_role("link", name="Transformations", exact=True).click()
    page.get_by_role("link", name="New transformation").first.click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Loud people")
    chrome.write_sql(page, GOOD_SQL)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("The SQL compiles")).to_be_visible()
    page.get_by_role("tab", name="Compiled SQL").click()
    expect(page.get_by_role("textbox", name="Compiled SQL")).to_contain_text(f"{ORGANIZATION}_raw")
    page.get_by_role("button", name="Save transformation").click()
    expect(page.get_by_role("heading", level=1, name="Loud people")).to_be_visible()


def publish_and_run(page: Page) -> None:
    page.get_by_role("link", name="See it in the workflow").click()
    expect(page.get_by_test_id("graph").locator(".react-flow__node")).to_have_count(2)
    expect(page.get_by_test_id("graph").locator(".react-flow__edge")).to_have_count(1)
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Revision 1 is published.").first).to_be_visible()
    page.get_by_role("button", name="Run now").click()
    state = page.get_by_test_id("run-state").locator("[data-state]")
    expect(state).to_have_attribute("data-state", "success", timeout=RUN_MS)
    page.get_by_role("tab", name="Rows per table").click()
    row = page.locator('[data-table="people"]')
    expect(row.locator("td").nth(4)).to_have_text("3")
    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_role("log").locator(".log-line").first).to_be_visible()


def see_rows(page: Page) -> None:
    page.get_by_role("link", name="Tables", exact=True).click()
    page.get_by_role("link", name="loud_people").click()
    rows = page.get_by_role("table", name=re.compile("loud_people"))
    expect(rows.get_by_role("row")).to_have_count(4)
    expect(rows.get_by_role("cell", name="GRACE")).to_be_visible()


def break_and_mend(page: Page) -> None:
    page.get_by_role("link", name="Transformations", exact=True).click()
    page.get_by_role("link", name="Loud people").click()
    chrome.write_sql(page, BROKEN_JINJA)
    page.get_by_role("button", name="Save changes").click()
    result = page.get_by_test_id("check-result")
    expect(result).to_contain_text("Not saved")
    expect(result).to_contain_text("line 3")
    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    page.reload()
    expect(page.get_by_role("textbox", name="SQL", exact=True)).to_contain_text("upper(name)")
    chrome.write_sql(page, BROKEN_SQL)
    page.get_by_role("button", name="Check").click()
    expect(result).to_contain_text("line 2")
    expect(page.locator(".cm-lint-marker-error")).to_have_count(1)
    chrome.write_sql(page, GOOD_SQL.replace("upper", "lower"))
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved. Publish the workflow")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Revision 2 is published.")).to_be_visible()


@pytest.mark.feature("G1", "G2", "G4", "H1", "H2")
def test_edges_and_schedules_without_a_mouse(stack: Stack, chromium: Browser) -> None:
    """The table form of edges, the cron text, and what the service refuses, at its field."""
    account = stack.sign_up(f"{ORGANIZATION}b")
    for slug in ("first", "second"):
        account.csv_pipeline(slug, {f"{slug}_people": PEOPLE})
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    page.goto(f"/workflows/{account.workflow()['id']}?tab=edges")
    add_edge(page, "first", "second")
    remove = page.get_by_role("button", name="Remove the edge from first to second")
    expect(remove).to_be_visible()
    add_edge(page, "second", "first")
    expect(page.get_by_role("alert")).to_contain_text("first -> second -> first")
    remove.press("Enter")
    expect(remove).to_have_count(0)

    page.get_by_role("tab", name="Schedules").click()
    cron = page.get_by_role("textbox", name="Cron")
    cron.fill("61 * * * *")
    expect(cron).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Add schedule")).to_be_disabled()
    page.get_by_role("button", name="Mondays at 9:00").press("Enter")
    expect(page.get_by_test_id("cron-text")).to_contain_text("Monday")
    page.get_by_role("button", name="Add schedule").press("Enter")
    expect(page.get_by_role("table", name="Schedules")).to_contain_text("only on Monday")
    assert chrome.wrong(page) == []


def add_edge(page: Page, first: str, then: str) -> None:
    for label, name in (("First", first), ("Then", then)):
        page.get_by_role("combobox", name=label).fill(name)
        # Until the list is open the keys mean nothing.
        expect(page.get_by_role("option", name=name)).to_be_visible()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Add edge").press("Enter")


@pytest.mark.feature("C12", "C13", "E6")
def test_a_failed_run_shows_why_and_is_retried(stack: Stack, chromium: Browser) -> None:
    """The cause stands on top, the log has it, and a mended model goes green on retry."""
    account = stack.sign_up(f"{ORGANIZATION}c")
    account.csv_pipeline("people", {"people": PEOPLE})
    account.model("shares", "select 6 / (id::int - 3) as share from {{ source('raw', 'people') }}")
    account.publish()
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    page.goto(f"/workflows/{account.workflow()['id']}")
    page.get_by_role("button", name="Run now").click()
    state = page.get_by_test_id("run-state").locator("[data-state]")
    expect(state).to_have_attribute("data-state", "failed", timeout=RUN_MS)
    expect(page.get_by_role("alert")).to_contain_text("division by zero")
    page.locator('[data-task^="transform"]').get_by_role("button", name="Log").click()
    page.get_by_role("button", name="Jump to the first error").click()
    expect(page.locator(".log-error").first).to_be_in_viewport()
    page.reload()
    expect(page.locator(".log-error").first).to_be_visible()
    page.get_by_role("button", name="Retry failed tasks").click()
    expect(state).to_have_attribute("data-state", re.compile("queued|running"))
    expect(state).to_have_attribute("data-state", "failed", timeout=RUN_MS)
    page.goto(f"/workflows/{account.workflow()['id']}")
    nodes = page.get_by_test_id("graph")
    expect(nodes.locator('[data-state="failed"]')).to_have_count(1)
    expect(nodes.locator('[data-state="success"]')).to_have_count(1)
    assert chrome.wrong(page) == []
