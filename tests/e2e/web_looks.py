"""Looking at a view while it is there: a picture, axe, and the same on a phone."""

import os
from pathlib import Path

from playwright.sync_api import Page

from tests.e2e import browser as chrome

SCREENS = os.environ.get("ETLFABRIC_SCREENS")  # a folder: keep pictures for docs/screens
SHOWN_IN_EVERY_WAY = ("home", "pipeline", "transformation", "workflow", "run-tables")
PHONE = {"width": 390, "height": 844}


class Looks:
    """What was found at the views of one page; nothing is lost from them by looking."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.found: dict[str, list[str]] = {}

    def at(self, name: str) -> None:
        """Looks at the view as it is now, on a desktop and on a phone."""
        chrome.settled(self.page)
        keep(self.page, f"{name}-light")
        wrong = chrome.violations(self.page)
        self.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        chrome.settled(self.page)
        keep(self.page, f"{name}-phone")
        wrong += chrome.sticking_out(self.page)
        self.page.set_viewport_size(chrome.DESKTOP)  # type: ignore[arg-type]
        if wrong:
            self.found[name] = wrong


def keep(page: Page, name: str) -> None:
    """A picture, where pictures are asked for: of all in light, of some in other ways too."""
    view, way = name.rsplit("-", 1)
    if SCREENS and (way == "light" or view in SHOWN_IN_EVERY_WAY):
        path = Path(SCREENS) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=path, animations="disabled")
