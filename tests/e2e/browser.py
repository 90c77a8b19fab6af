"""Chromium, signed in, and what the browser tests do with it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from cli.stack.layout import PROJECT
from tests.e2e.running import Account, Stack

CHROMIUM = shutil.which("chromium")
AXE = PROJECT / "web" / "node_modules" / "axe-core" / "axe.min.js"
BUILT = PROJECT / "web" / "dist" / "index.html"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "correct horse battery"
DESKTOP = {"width": 1440, "height": 900}


def missing() -> str | None:
    """What keeps browser tests from running here."""
    if CHROMIUM is None:
        return "chromium is not installed"
    if not BUILT.is_file():
        return "the web interface is not built (npm --prefix web run build)"
    return None if AXE.is_file() else "axe-core is not installed (npm --prefix web ci)"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; closed at the end."""
    expect.set_options(timeout=60_000)  # dbt starts anew for every check: seconds, not moments
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Browser, stack: Stack, scheme: str = "light", **options: Any) -> Page:
    """A page of its own browser profile. A script error or a refused script fails the test."""
    context = browser.new_context(
        base_url=stack.layout.api_url,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        **({"viewport": DESKTOP} | options),  # type: ignore[arg-type]
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on("pageerror", lambda error: page.__dict__.setdefault("errors", []).append(str(error)))
    return page


def sign_up(page: Page, organization: str) -> None:
    """A new organization by way of the form."""
    page.goto("/sign-up")
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Organization").fill(organization)
    page.get_by_label("E-mail").fill(f"ada@{organization}.example.com")
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Create organization").click()
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()


def sign_in(page: Page, account: Account) -> None:
    """The owner of an organization that the API made."""
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(f"owner@{account.slug}.example.com")
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()


def settled(page: Page) -> None:
    """Waits until the page shows its data."""
    expect(page.locator("h1")).to_have_count(1)
    expect(page.get_by_label("Loading")).to_have_count(0)


def write_sql(page: Page, text: str) -> None:
    """Replaces what stands in the SQL editor."""
    page.get_by_role("textbox", name="SQL", exact=True).click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def number_in(path: str) -> int:
    """The id at the end of an address."""
    found = re.search(r"/(\d+)$", path)
    assert found, path
    return int(found.group(1))


def violations(page: Page) -> list[str]:
    """What axe finds on the page, each with the element it belongs to."""
    page.evaluate(Path(AXE).read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['target']} {[check['message'] for check in node['any']]}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
