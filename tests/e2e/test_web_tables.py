"""Tables of a database in the browser: looked into, loaded, their state and a backfill.

Each test goes on where the one before it has left.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e import browser as chrome
from tests.e2e.sources import Source
from tests.e2e.web_desk import RUN_MS, Desk, run_now, walk
from tests.e2e.web_sales import sales_database

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chrome.missing() is not None, reason=str(chrome.missing())),
]


@pytest.fixture(scope="module")
def sales(desk: Desk) -> Source:
    return sales_database(desk.stack, desk.account.slug)


@pytest.mark.feature("B2", "B7", "B8", "B9")
def test_a_wrong_password_and_missing_rights_are_told_with_their_remedy(
    desk: Desk, sales: Source
) -> None:
    page = desk.page
    page.goto("/connections/new")
    page.get_by_role("link", name=re.compile("^PostgreSQL")).click()
    page.get_by_role("textbox", name="Name", exact=True).fill("Shop database")
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_text("Host is required")).to_be_visible()
    page.get_by_role("textbox", name="Host").fill(sales.config["host"])
    page.get_by_role("textbox", name="Port").fill(str(sales.config["port"]))
    page.get_by_role("textbox", name="Database").fill(sales.config["database"])
    page.get_by_role("textbox", name="User").fill(sales.config["user"])
    secret = page.get_by_role("textbox", name="Password")
    secret.fill("not it")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It does not work yet")).to_be_visible()
    expect(page.get_by_text(re.compile("^What to do: .*password"))).to_be_visible()
    desk.looks.at("load-wrong-password")
    secret.fill(sales.password)
    expect(page.get_by_text("It does not work yet")).to_have_count(0)
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("It works")).to_be_visible()
    expect(page.get_by_text(re.compile("may not read wages.*GRANT SELECT"))).to_be_visible()
    desk.looks.at("load-missing-rights")
    page.get_by_role("button", name="Save connection").click()
    expect(page.get_by_role("heading", level=1, name="Shop database")).to_be_visible()


@pytest.mark.feature("B8", "B10", "X10", "X11")
def test_schemas_tables_and_columns_are_seen_with_rows_and_profile(desk: Desk) -> None:
    page = desk.page
    page.get_by_role("tab", name="Tables").click()
    tables = page.get_by_role("list", name="Tables")
    expect(tables.get_by_role("listitem")).to_have_count(3)
    chrome.choose(page, "Schema", "depot")
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
