"""Chromium, signed in, and what the browser tests do with it."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

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
# In its new shape a page may come a moment after its window.
STICKING_OUT = """async () => {
    const root = document.documentElement, until = performance.now() + 3000;
    while (root.scrollWidth > innerWidth) {
        if (performance.now() > until) {
            const wide = [...document.querySelectorAll("*")].filter((one) =>
                one.scrollWidth > innerWidth && getComputedStyle(one).overflowX === "visible");
            return wide.slice(-3).map((one) => `${one.tagName}.${one.className} is too wide`);
        }
        await new Promise(requestAnimationFrame);
    }
    return [];
}"""
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
    """A page of its own browser profile, whose errors are kept for `wrong` and `refused`."""
    context = browser.new_context(
        base_url=stack.layout.api_url,
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        **({"viewport": DESKTOP} | options),  # type: ignore[arg-type]
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong(page).append(str(error)))
    page.on("console", lambda message: _said(page, message))
    page.on("requestfailed", lambda request: _failed(page, request))
    page.on("response", lambda response: _answered(page, response))
    return page


def wrong(page: Page) -> list[str]:
    """Script errors, refused scripts, requests without an answer, errors of the service."""
    found: list[str] = page.__dict__.setdefault("errors", [])
    return found


def refused(page: Page) -> list[str]:
    """What the service has refused; nothing, unless somebody asked for what cannot be."""
    found: list[str] = page.__dict__.setdefault("refused", [])
    return found


def _said(page: Page, message: ConsoleMessage) -> None:
    # The browser repeats each refusal in its console; those are counted where they come in.
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        wrong(page).append(message.text)


def _failed(page: Page, request: Request) -> None:
    if request.failure != "net::ERR_ABORTED":  # somebody went on before the answer came
        wrong(page).append(f"{request.method} {request.url}: {request.failure}")


def _answered(page: Page, response: Response) -> None:
    if response.status >= 400:
        found = wrong(page) if response.status >= 500 else refused(page)
        found.append(f"{response.status} {response.request.method} {response.url}")


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


def sticking_out(page: Page) -> list[str]:
    """What makes the page scroll sideways: tables and graphs have to scroll inside themselves."""
    found: list[str] = page.evaluate(STICKING_OUT)
    return found


def write_sql(page: Page, text: str) -> None:
    """Replaces what stands in the SQL editor."""
    page.get_by_role("textbox", name="SQL", exact=True).click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


def choose(page: Page, label: str, option: str | re.Pattern[str]) -> None:
    """Picks an option of a select."""
    page.get_by_role("combobox", name=label, exact=True).or_(
        page.get_by_role("textbox", name=label, exact=True)
    ).click()
    page.get_by_role("option", name=option, exact=True).click()


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
