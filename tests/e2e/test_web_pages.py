"""Every page at its own address: what it shows, for whom it is usable, how it looks."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e import browser as chrome
from tests.e2e.running import Stack
from tests.e2e.web_looks import PHONE, Looks, keep
from tests.e2e.web_shop import Shop, open_shop

SETTINGS = {
    "organization": ("/settings/organization", "Danger zone"),
    "members": ("/settings/members", "What the roles may do"),
    "api-keys": ("/settings/api-keys", "No key yet"),
    "audit": ("/settings/audit", "chain intact"),
    "audit-filtered": ("/settings/audit?action=login&type=user", "that is all"),
    "profile": ("/profile", "this one"),
    "platform": ("/platform", "for the operators"),
}
OUTSIDE = (
    "/sign-in",
    "/sign-in?problem=link_required",
    "/sign-up",
    "/forgot-password",
    "/reset-password#token=some",
    "/verify-email#token=some",
    "/invitation#token=unknown",
    "/invitation",
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chrome.missing() is not None, reason=str(chrome.missing())),
]


@pytest.fixture(scope="module")
def shop(stack: Stack) -> Shop:
    """Something to see on every page."""
    return open_shop(stack, "webshop")


def visit(page: Page, name: str, address: str, text: str) -> None:
    """Opens a view afresh and waits for what belongs to it."""
    page.goto(address)
    expect(page.get_by_text(text).first, name).to_be_visible()
    chrome.settled(page)
    assert page.url.endswith(address), f"{name}: {page.url} lost its state"


@pytest.mark.feature("A4", "B8", "C13", "D12", "G4", "J1")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_stands_at_its_address_and_axe_finds_nothing(
    stack: Stack, chromium: Browser, shop: Shop, scheme: str
) -> None:
    page = chrome.new_page(chromium, stack, scheme)
    chrome.sign_in(page, shop.account)
    found = {}
    for name, (address, text) in (shop.views | SETTINGS).items():
        visit(page, name, address, text)
        keep(page, f"{name}-{scheme}")
        if wrong := chrome.violations(page):
            found[name] = wrong
    assert not found, "\n".join(
        f"{view}: {line}" for view, lines in found.items() for line in lines
    )
    assert chrome.wrong(page) == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_before_signing_in(stack: Stack, chromium: Browser, scheme: str) -> None:
    page = chrome.new_page(chromium, stack, scheme)
    found = {}
    for address in OUTSIDE:
        page.goto("about:blank")  # another hash alone would not load the page anew
        page.goto(address)
        chrome.settled(page)
        keep(page, f"{re.sub(r'[/?#=]+', '-', address).strip('-')}-{scheme}")
        if wrong := chrome.violations(page):
            found[address] = wrong
    assert not found, found
    assert chrome.wrong(page) == []
    page.context.close()


def test_nothing_is_cut_off_on_a_phone(stack: Stack, chromium: Browser, shop: Shop) -> None:
    """Tables and graphs scroll inside themselves; the page itself never scrolls sideways."""
    page = chrome.new_page(chromium, stack, viewport=PHONE)
    chrome.sign_in(page, shop.account)
    wide = {}
    for name, (address, text) in (shop.views | SETTINGS).items():
        visit(page, name, address, text)
        keep(page, f"{name}-phone")
        if wrong := chrome.sticking_out(page):
            wide[name] = wrong
    assert wide == {}
    page.context.close()


@pytest.mark.feature("X6")
def test_rejected_rows_are_replayed_from_their_page(
    stack: Stack, chromium: Browser, shop: Shop
) -> None:
    """What will happen is told before, and the run says what did: this row does not fit yet."""
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, shop.account)
    visit(page, "rejected", *shop.views["pipeline-rejected"])
    page.get_by_role("button", name="Replay").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_contain_text("A run takes 1 rejected row of customers")
    assert not chrome.violations(page)
    asked.get_by_role("button", name="Replay").click()
    page.get_by_role("link", name="See what its run loads").click()
    expect(page.get_by_test_id("run-state")).to_contain_text("success", timeout=180_000)
    expect(page.get_by_text("a replay: the rows read had been rejected")).to_be_visible()
    expect(page.get_by_text("1 rejected: see them, and why")).to_be_visible()
    page.context.close()


@pytest.mark.feature("C2", "C4", "C5", "C9", "C10")
def test_the_wizard_leads_from_a_source_to_a_pipeline(
    stack: Stack, chromium: Browser, shop: Shop
) -> None:
    """Each step without a finding of axe; what was set is what is saved."""
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, shop.account)
    looks = Looks(page)
    page.goto(f"/pipelines/new?source={shop.connection}")
    page.get_by_role("checkbox", name="Load orders.csv").check()
    step(page, looks, "pipeline-resources")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("alert")).to_contain_text("Give the pipeline a name")
    page.get_by_label("Pipeline name").fill("Wizard")
    page.get_by_label("Dataset").fill("wizard")
    step(page, looks, "pipeline-destination")
    chrome.choose(page, "How orders.csv is loaded", "merge: update by key")
    page.get_by_role("button", name="Settings of orders.csv").click()
    chosen = page.get_by_role("dialog")
    chrome.choose(page, "Strategy", "upsert: the old row is updated")
    chosen.get_by_label("Key", exact=True).click()
    page.get_by_role("option", name="customer_id").click()
    page.keyboard.press("Escape")
    doubled = chosen.get_by_role("table", name="Values that several rows share")
    expect(doubled.get_by_role("row")).not_to_have_count(0)
    expect(chosen.get_by_role("alert")).to_contain_text("does not tell its rows apart")
    add_filter(page, chosen)
    chosen.get_by_role("tab", name="Columns").click()
    chrome.choose(page, "Mask of customer_id", "hash: the same text for the same value")
    chosen.get_by_role("tab", name="Rules").click()
    chrome.choose(page, "A row that does not fit", "is put aside with its reason")
    chrome.choose(page, "New columns", "freeze: the load fails before it writes")
    looks.at("pipeline-settings")
    page.get_by_role("button", name="Close the settings").click()
    step(page, looks, "pipeline-loading")
    expect(page.get_by_role("alert")).to_contain_text("does not tell its rows apart")
    looks.at("pipeline-review")
    page.get_by_role("button", name="Save pipeline").click()
    expect(page.get_by_role("heading", level=1, name="Wizard")).to_be_visible()
    assert looks.found == {}
    saved = shop.account.get(f"/pipelines/{chrome.number_in(page.url)}")
    assert saved["config"]["resources"][0] == SAVED | saved["config"]["resources"][0]
    assert chrome.wrong(page) == []
    page.context.close()


SAVED = {
    "name": "orders",
    "write_disposition": "merge",
    "merge_strategy": "upsert",
    "primary_key": ["customer_id"],
    "filters": [{"column": "id", "op": "lte", "value": 100}],
    "columns": {"customer_id": {"mask": "hash"}},
    "on_bad_row": "quarantine",
    "contract": {"columns": "freeze"},
}


def step(page: Page, looks: Looks, name: str) -> None:
    """Looks at a step of the wizard and goes on to the next."""
    looks.at(name)
    page.get_by_role("button", name="Next").click()


def add_filter(page: Page, settings: Locator) -> None:
    settings.get_by_role("tab", name="Filters").click()
    settings.get_by_role("button", name="Add a filter").click()
    settings.get_by_label("Column of filter 1").fill("id")
    page.keyboard.press("Escape")
    chrome.choose(page, "Type of filter 1", "number")
    chrome.choose(page, "Comparison of filter 1", "is at most")
    settings.get_by_label("Value of filter 1").fill("100")


@pytest.mark.feature("A4", "A6")
def test_signing_out_ends_the_session_and_signing_in_leads_back(
    stack: Stack, chromium: Browser, shop: Shop
) -> None:
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, shop.account)
    page.goto("/pipelines?q=shop")
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    page.goto("/pipelines?q=shop")
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    page.get_by_label("E-mail").fill(f"owner@{shop.account.slug}.example.com")
    page.get_by_role("textbox", name="Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("textbox", name="Password").fill(chrome.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Pipelines")).to_be_visible()
    assert page.url.endswith("/pipelines?q=shop")
    page.context.close()


@pytest.mark.feature("A18")
def test_another_organizations_pages_are_not_found(
    stack: Stack, chromium: Browser, shop: Shop
) -> None:
    stack.sign_up("webneighbour")
    page = chrome.new_page(chromium, stack)
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill("owner@webneighbour.example.com")
    page.get_by_role("textbox", name="Password").fill(chrome.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()
    for name in ("connection", "pipeline", "transformation", "workflow", "run"):
        page.goto(shop.views[name][0])
        expect(page.get_by_role("alert"), name).to_be_visible()
        for secret in ("shop files", "orders.csv", "stg_orders", "order_id"):
            expect(page.get_by_role("main").get_by_text(secret)).to_have_count(0)
    page.context.close()
