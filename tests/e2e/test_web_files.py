"""Uploaded files in the browser: inspected, mapped, loaded, replayed, replaced by newer ones.

Each test goes on where the one before it has left.
"""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e import browser as chrome
from tests.e2e.web_desk import Desk, expect_state, run_now, walk
from tests.e2e.web_looks import Looks
from tests.e2e.web_sales import BAD_LINE, export

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chrome.missing() is not None, reason=str(chrome.missing())),
]


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
    chrome.choose(page, "A row that does not fit", "is put aside with its reason")
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
    chrome.choose(page, "Type of gross", "number")
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
    settings = page.get_by_role("dialog")
    settings.get_by_role("tab", name="Values").click()
    chrome.choose(page, "Add a function to id", "replace")
    settings.get_by_role("textbox", name="replace of id").first.fill("unknown")
    settings.get_by_role("textbox", name="replace of id").last.fill("13")
    expect(settings.get_by_role("region", name="Rows as they are loaded")).to_contain_text("ZOË 13")
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
    chrome.choose(page, "State", "all of them")
    expect(page.get_by_text(note)).to_be_visible()
