"""A signed-in page for a whole module, and what is clicked again and again on the way."""

import os
import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.running import Account, Stack
from tests.e2e.web_looks import Looks

RUN_MS = 240_000
# What of a walk takes moments is the slice of every suite; the rest takes minutes.
walk = pytest.mark.skipif(
    os.environ.get("ETLFABRIC_WALK") != "1", reason="the whole walk belongs to make prove"
)


@dataclass(frozen=True)
class Desk:
    """The page, whose owner's session over the API stands beside it."""

    page: Page
    account: Account
    stack: Stack
    looks: Looks


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
