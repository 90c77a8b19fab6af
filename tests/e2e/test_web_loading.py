"""The load pages as a data team walks through them, with wrong input on the way.

One browser, one signed-in session: each test goes on where the one before it has left.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e import browser as chrome
from tests.e2e.running import Account, Stack
from tests.e2e.web_looks import Looks
from tests.e2e.web_sales import (
    BAD_LINE,
    PASSWORD,
    export,
    sales_database,
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chrome.missing() is not None, reason=str(chrome.missing())),
]
# The first test is the slice of every suite; the rest takes minutes.
walk = pytest.mark.skipif(
    os.environ.get("ETLFABRIC_WALK") != "1", reason="the whole walk belongs to make prove"
)
RUN_MS = 240_000


@dataclass(frozen=True)
class Desk:
    """A signed-in page, whose owner's session over the API stands beside it."""

    page: Page
    account: Account
    stack: Stack
    database: dict[str, Any]
    looks: Looks


@pytest.fixture(scope="module")
def desk(stack: Stack, chromium: Browser) -> Iterator[Desk]:
    """One session for all of it; at its end nothing may have gone wrong in the browser."""
    account = stack.sign_up("webloads")
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    looks = Looks(page)
    yield Desk(page, account, stack, sales_database(stack, account.slug), looks)
    page.context.close()


@pytest.fixture(autouse=True)
def nothing_went_wrong(desk: Desk) -> Iterator[None]:
    """No script error, no failed request, no finding of axe, nothing wider than a phone."""
    yield
    assert desk.looks.found == {}
    assert chrome.wrong(desk.page) == []


@pytest.mark.feature("B9", "D1", "D3")
def test_an_export_is_uploaded_inspected_and_read_as_it_is_written(desk: Desk) -> None:
    page = desk.page
    page.goto("/connections/new?connector=csv")
    page.get_by_role("textbox", name="Name", exact=True).fill("Sales export")
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_text("Files is required")).to_be_visible()
    give_file(page, "sales.csv", export())
    found = page.get_by_role("region", name="Inspection of sales.csv")
    expect(found).to_contain_text('delimiter: ";"')
    expect(found).to_contain_text("All 20 rows were read")
    expect(found).to_contain_text(f"line {BAD_LINE}: unknown")
    desk.looks.at("load-inspection")
    found.get_by_role("button", name="Read the files like this").click()
    expect(found).to_contain_text("The files are read like this.")
    expect(page.get_by_role("textbox", name="Delimiter")).to_have_value(";")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It works")).to_be_visible()
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_role("heading", level=1, name="Sales export")).to_be_visible()


@walk
@pytest.mark.feature("C2", "D4", "D5", "D6", "D7", "D8", "X20")
def test_columns_are_mapped_and_calculated_before_anything_is_loaded(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("link", name="New pipeline from it").click()
    page.get_by_role("checkbox", name="Load sales.csv").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Pipeline name").fill("Sales")
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Settings of sales.csv").click()
    settings = page.get_by_role("dialog")
    map_columns(page, settings)
    desk.looks.at("load-columns")
    map_values(page, settings)
    desk.looks.at("load-values")
    calculate(page, settings, desk.looks)
    settings.get_by_role("tab", name="Rules").click()
    choose(page, "A row that does not fit", "is put aside with its reason")
    page.get_by_role("button", name="Close the settings").click()
    page.get_by_role("radio", name="Hold for approval").check()
    page.get_by_role("button", name="Next").click()
    desk.looks.at("load-review")
    page.get_by_role("button", name="Save pipeline").click()
    expect(page.get_by_role("heading", level=1, name="Sales")).to_be_visible()


def map_columns(page: Page, settings: Locator) -> None:
    settings.get_by_role("tab", name="Columns").click()
    settings.get_by_role("button", name="Propose types from the file").click()
    expect(settings.get_by_label("Type of price", exact=True)).to_have_value("number")
    preview = settings.get_by_role("region", name="Rows as they are loaded")
    expect(preview).to_contain_text("1001.5")
    expect(preview).to_contain_text(f"line {BAD_LINE}, id:")
    settings.get_by_label("Name of sold on").fill("customer")
    expect(settings.get_by_role("alert")).to_be_visible()
    settings.get_by_label("Name of sold on").fill("sold_at")
    expect(settings.get_by_role("alert")).to_have_count(0)
    expect(preview.get_by_role("columnheader", name="sold_at")).to_be_visible()


def map_values(page: Page, settings: Locator) -> None:
    settings.get_by_role("tab", name="Values").click()
    settings.get_by_label("Add a function to customer").click()
    page.get_by_role("option", name="upper", exact=True).click()
    settings.get_by_label("Default of customer").fill("NOBODY")
    expect(settings.get_by_role("region", name="Rows as they are loaded")).to_contain_text("ZOË 1")


def calculate(page: Page, settings: Locator, looks: Looks) -> None:
    settings.get_by_role("tab", name="Calculated").click()
    settings.get_by_label("Name of a new calculated column").fill("gross")
    settings.get_by_role("button", name="Add a calculated column").click()
    choose(page, "Type of gross", "number")
    expression = settings.get_by_role("textbox", name="gross", exact=True)
    expression.fill("price * (1.19")
    expect(expression).to_have_attribute("aria-invalid", "true")
    expect(settings).to_contain_text(re.compile(r"line 1, column \d+"))
    looks.at("load-expression")
    expression.fill("round(price * 1.2, 2)")
    expect(expression).not_to_have_attribute("aria-invalid", "true")
    expect(settings.get_by_role("region", name="Rows as they are loaded")).to_contain_text("1201.8")
    settings.get_by_role("tab", name="Table", exact=True).click()
    expect(settings).to_contain_text("The first load makes it like this")
    expect(settings.locator("pre")).to_contain_text("gross")
    looks.at("load-table")


def give_file(page: Page, name: str, content: bytes) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )


def choose(page: Page, label: str, option: str | re.Pattern[str]) -> None:
    page.get_by_role("combobox", name=label, exact=True).or_(
        page.get_by_role("textbox", name=label, exact=True)
    ).click()
    page.get_by_role("option", name=option).click()


@walk
@pytest.mark.feature("C12", "C13", "D12", "X6")
def test_a_row_that_does_not_fit_is_shown_with_its_line_and_replayed(desk: Desk) -> None:
    page = desk.page
    run_now(page)
    page.get_by_role("tab", name="Rows per table").click()
    expect(page.locator('[data-table="sales"]')).to_contain_text("1 rejected")
    page.get_by_role("link", name="see them, and why").click()
    rejected = page.get_by_role("table", name="Rejected rows of sales")
    expect(rejected).to_contain_text(f"sales.csv, line {BAD_LINE}")
    desk.looks.at("load-rejected")
    page.get_by_role("tab", name="Settings").click()
    page.get_by_role("button", name="Settings of sales.csv").click()
    page.get_by_role("dialog").get_by_role("tab", name="Columns").click()
    choose(page, "Type of id", "text")
    page.get_by_role("button", name="Close the settings").click()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved. Publish the workflow")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Revision 2 is published.")).to_be_visible()
    page.get_by_role("tab", name="Rejected rows").click()
    page.get_by_role("button", name="Replay").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("A run takes 1 rejected row of sales")
    desk.looks.at("load-replay")
    asked.get_by_role("button", name="Replay").click()
    page.get_by_role("link", name="See what its run loads").click()
    expect_state(page, "success")
    expect(page.get_by_text("a replay: the rows read had been rejected")).to_be_visible()


@walk
@pytest.mark.feature("X20")
def test_a_newer_file_is_held_against_the_mapping_that_is_saved(desk: Desk) -> None:
    page = desk.page
    newer(page, export(price="net price", more=("channel",)))
    expect(page.get_by_text("price looks like it is called net price now.")).to_be_visible()
    expect(page.get_by_text("New: channel.")).to_be_visible()
    expect(page.get_by_text(re.compile("will fail: it names price"))).to_be_visible()
    desk.looks.at("load-drift")
    newer(page, export())
    expect(page.get_by_text("sales.csv has the same columns as before")).to_be_visible()


@walk
@pytest.mark.feature("C10")
def test_held_changes_are_refused_and_approved_by_clicks(desk: Desk) -> None:
    page = desk.page
    newer(page, export(more=("channel",)))
    save_and_run(desk, "failed")
    decide(desk, "Reject", "Nobody sells by channel.")
    newer(page, export(more=("channel", "region")))
    save_and_run(desk, "failed")
    failed = page.url
    decide(desk, "Approve", "Both are wanted.")
    page.goto(failed)
    page.get_by_role("button", name="Retry failed tasks").click()
    expect_state(page, "success")
    page.get_by_role("tab", name="Rows per table").click()
    expect(page.locator('[data-table="sales"]')).to_contain_text("new columns: channel, region")


def newer(page: Page, content: bytes) -> None:
    """Gives a newer version of the export to its connection; nothing is saved yet."""
    page.goto("/connections?q=Sales export")
    page.get_by_role("link", name="Sales export").click()
    give_file(page, "sales.csv", content)
    expect(page.get_by_text(re.compile("sales.csv has"))).to_be_visible()


def save_and_run(desk: Desk, state: str) -> None:
    page = desk.page
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.goto(f"/workflows/{desk.account.workflow()['id']}")
    page.get_by_role("button", name="Run now").click()
    expect_state(page, state)


def decide(desk: Desk, decision: str, note: str) -> None:
    """Decides on the one change that waits in the inbox, with the diff before the eyes."""
    page = desk.page
    page.get_by_role("link", name=re.compile("^Schema changes")).click()
    expect(page.get_by_role("list", name="Changes of sales")).to_contain_text("channel")
    page.get_by_role("button", name=f"{decision} the changes of sales").click()
    asked = page.get_by_role("dialog")
    expect(asked.get_by_role("list", name="Changes of sales")).to_contain_text("channel")
    asked.get_by_label("Note").fill(note)
    desk.looks.at(f"load-{decision.lower()}")
    asked.get_by_role("button", name=decision, exact=True).click()
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    choose(page, "State", "all of them")
    expect(page.get_by_text(note)).to_be_visible()


def run_now(page: Page) -> None:
    """Publishes the workflow of the pipeline that is shown, runs it, and waits for the end."""
    page.get_by_role("link", name="See it in the workflow").click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text(re.compile("is published")).first).to_be_visible()
    page.get_by_role("button", name="Run now").click()
    expect_state(page, "success")


def expect_state(page: Page, state: str) -> None:
    shown = page.get_by_test_id("run-state").locator("[data-state]")
    expect(shown).to_have_attribute("data-state", re.compile("success|failed"), timeout=RUN_MS)
    expect(shown).to_have_attribute("data-state", state)


@walk
@pytest.mark.feature("B2", "B7", "B8", "B9")
def test_a_wrong_password_and_missing_rights_are_told_with_their_remedy(desk: Desk) -> None:
    page = desk.page
    page.goto("/connections/new")
    page.get_by_role("link", name=re.compile("^PostgreSQL")).click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Shop database")
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_text("Host is required")).to_be_visible()
    page.get_by_role("textbox", name="Host").fill(desk.database["host"])
    page.get_by_role("textbox", name="Port").fill(str(desk.database["port"]))
    page.get_by_role("textbox", name="Database").fill(desk.database["database"])
    page.get_by_role("textbox", name="User").fill(desk.database["user"])
    secret = page.get_by_role("textbox", name="Password")
    secret.fill("not it")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It does not work yet")).to_be_visible()
    expect(page.get_by_text(re.compile("^What to do: .*password"))).to_be_visible()
    desk.looks.at("load-wrong-password")
    secret.fill(PASSWORD)
    expect(page.get_by_text("It does not work yet")).to_have_count(0)
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It works")).to_be_visible()
    expect(page.get_by_text(re.compile("may not read wages.*GRANT SELECT"))).to_be_visible()
    desk.looks.at("load-missing-rights")
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_role("heading", level=1, name="Shop database")).to_be_visible()


@walk
@pytest.mark.feature("B8", "B10", "X10", "X11")
def test_schemas_tables_and_columns_are_seen_with_rows_and_profile(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("tab", name="Tables").click()
    tables = page.get_by_role("list", name="Tables")
    expect(tables.get_by_role("listitem")).to_have_count(3)
    choose(page, "Schema", "depot")
    expect(tables.get_by_role("listitem")).to_have_count(1)
    page.get_by_label("All schemas", exact=True).click()
    page.get_by_role("textbox", name="Search tables").fill("nothing like it")
    expect(page.get_by_text("No table is called like that.")).to_be_visible()
    page.get_by_role("textbox", name="Search tables").fill("order")
    tables.get_by_role("button", name="orders").click()
    columns = page.get_by_role("table", name="Columns of orders")
    expect(columns.get_by_role("row", name=re.compile("^region"))).to_contain_text("no:")
    desk.looks.at("load-browser")
    page.get_by_role("tab", name="First rows").click()
    expect(page.get_by_text("All 30 rows.")).to_be_visible()
    page.get_by_role("tab", name="Profile").click()
    expect(page.get_by_role("table", name="Profile of orders")).to_contain_text("(15)")
    page.get_by_role("combobox", name="Try a key").click()
    page.get_by_role("option", name="region").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("table", name="Values that several rows share")).to_be_visible()
    desk.looks.at("load-profile")


@walk
@pytest.mark.feature("C1", "C2", "C4", "C5")
def test_a_table_is_loaded_by_its_key_and_a_cursor_with_its_reasons(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("link", name="New pipeline from it").click()
    page.get_by_role("checkbox", name="Load orders").check()
    page.get_by_role("button", name="Next").click()
    page.get_by_label("Pipeline name").fill("Orders")
    page.get_by_label("Dataset").fill("Raw data")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("lower-case letters")
    page.get_by_label("Dataset").fill("raw")
    page.get_by_role("button", name="Next").click()
    loaded = page.get_by_role("combobox", name="How orders is loaded")
    expect(loaded).to_have_value("merge: update by key")
    page.get_by_role("combobox", name="Cursor of orders").click()
    expect(page.get_by_role("option", name=re.compile("^region"))).to_contain_text("no cursor")
    page.get_by_role("option", name="placed_at", exact=True).click()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Save pipeline").click()
    expect(page.get_by_role("heading", level=1, name="Orders")).to_be_visible()
    page.get_by_label("Dataset").fill("")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("lower-case letters")
    page.reload()
    expect(page.get_by_label("Dataset")).to_have_value("raw")


@walk
@pytest.mark.feature("X4")
def test_state_is_seen_set_reset_and_restored_with_a_question_before(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("tab", name="State").click()
    expect(page.get_by_text("so it has loaded nothing")).to_be_visible()
    orders = page.url
    run_now(page)
    page.goto(orders)
    state = page.get_by_role("table", name="State of the tables")
    expect(state).to_contain_text("2026-01-31")
    page.get_by_role("button", name="Set orders", exact=True).click()
    asked = page.get_by_role("dialog")
    asked.get_by_label("Begin at this placed_at").fill("the day before yesterday")
    asked.get_by_role("button", name="Set", exact=True).click()
    expect(asked.get_by_role("alert")).to_contain_text("not a timestamp")
    desk.looks.at("load-state-set")
    asked.get_by_label("Begin at this placed_at").fill("2026-01-20T00:00:00Z")
    asked.get_by_role("button", name="Set", exact=True).click()
    expect(state).to_contain_text("2026-01-20")
    page.get_by_role("button", name="Reset orders").click()
    asked.get_by_role("button", name="Reset", exact=True).click()
    expect(state).to_contain_text("the next run loads from the beginning")
    history = page.get_by_role("table", name="History of the state")
    expect(history.get_by_role("row")).to_have_count(4)
    desk.looks.at("load-state")
    history.get_by_role("button").last.click()
    desk.looks.at("load-state-restore")
    asked.get_by_role("button", name="Go back", exact=True).click()
    expect(state).to_contain_text("2026-01-31")


@walk
@pytest.mark.feature("X5")
def test_a_backfill_is_planned_started_cancelled_and_resumed(desk: Desk) -> None:
    page = desk.page
    page.goto(f"/workflows/{desk.account.workflow()['id']}?tab=schedules")
    page.get_by_role("button", name="Every day at 6:00").click()
    page.get_by_role("button", name="Add schedule").click()
    expect(page.get_by_role("table", name="Schedules")).to_be_visible()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text(re.compile("is published")).first).to_be_visible()
    page.get_by_role("tab", name="Backfill").click()
    page.get_by_role("textbox", name="From").fill("2026-01-12")
    page.get_by_role("textbox", name="To").fill("2026-01-05")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("alert").or_(page.locator("[aria-invalid=true]")).first).to_be_visible()
    page.get_by_role("textbox", name="From").fill("2026-01-05")
    page.get_by_role("textbox", name="To").fill("2026-01-08")
    page.get_by_role("button", name="Show the plan").click()
    plan = page.get_by_test_id("plan")
    expect(plan).to_contain_text("3 runs")
    expect(plan).to_contain_text("orders.orders is loaded again")
    desk.looks.at("load-backfill-plan")
    page.get_by_role("button", name="Start 3 runs").click()
    progress = page.get_by_test_id("backfill")
    expect(progress).to_contain_text("of 3 windows are loaded")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the backfill").click()
    resume = page.get_by_role("button", name=re.compile("^Resume"))
    expect(resume).to_be_visible(timeout=RUN_MS)
    desk.looks.at("load-backfill-cancelled")
    resume.click()
    page.get_by_role("dialog").get_by_role("button", name="Resume", exact=True).click()
    expect(progress).to_contain_text("3 of 3 windows are loaded", timeout=RUN_MS)
    desk.looks.at("load-backfill")
