"""People, roles, keys, the audit and organizations in the web interface, on the real stack."""

import csv
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e import browser as chrome
from tests.e2e.running import Account, Stack

ATTACK = "<img src=x onerror=alert(document.domain)>"
NEW_PASSWORD = "a wholly different sentence"
WRITE_BUTTONS = re.compile(
    r"^(New |Save|Delete|Publish|Run now|Run only|Add |Invite|Remove |Restore|Revoke|Make a )"
)
EVERY_LIST = (
    "/",
    "/connections",
    "/pipelines",
    "/transformations",
    "/workflows",
    "/runs",
    "/tables",
)

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chrome.missing() is not None, reason=str(chrome.missing())),
]


@pytest.mark.feature("A2", "A3", "A9", "A10", "J1")
def test_an_invited_person_joins_and_sees_what_the_role_allows(
    stack: Stack, chromium: Browser
) -> None:
    """Sign up, invite, accept in another browser, change the role, look through a viewer's eyes."""
    ada = chrome.new_page(chromium, stack)
    chrome.sign_up(ada, "idjoin")
    link = invite(ada, "grace@idjoin.example.com", "editor")

    grace = chrome.new_page(chromium, stack)
    accept(grace, link, "idjoin")
    grace.goto("/pipelines")
    expect(grace.get_by_role("link", name="New pipeline").first).to_be_visible()

    ada.reload()
    choose(ada, ada.get_by_role("combobox", name="Role of Grace Hopper"), "viewer")
    expect(ada.get_by_text("Grace Hopper is now viewer.")).to_be_visible()

    looks_but_does_not_touch(grace)
    for page in (ada, grace):
        assert chrome.wrong(page) == []
        page.context.close()


def invite(page: Page, email: str, role: str) -> str:
    """The link that the page shows where no mail is sent."""
    page.goto("/settings/members")
    page.get_by_label("E-mail of the new member").fill(email)
    choose(page, page.get_by_role("combobox", name="Role", exact=True), role)
    page.get_by_role("button", name="Invite", exact=True).click()
    link = page.get_by_label(f"Link for {email}", exact=True)
    expect(link).to_have_value(re.compile(r"/invitation#token=\S+"))
    expect(page.get_by_role("table", name="Open invitations").get_by_text(email)).to_be_visible()
    return link.input_value()


def accept(page: Page, link: str, organization: str) -> None:
    """As somebody who has no account yet."""
    page.goto(link)
    expect(page.get_by_role("heading", level=1, name=f"Join {organization}")).to_be_visible()
    assert "token" not in page.url, "the token stays in the address bar"
    page.get_by_label("Your name").fill("Grace Hopper")
    page.get_by_role("textbox", name="Password").fill(chrome.PASSWORD)
    page.get_by_role("button", name="Create the account and join").click()
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()
    expect(page.get_by_test_id("organization")).to_have_text(organization)


def looks_but_does_not_touch(page: Page) -> None:
    """A viewer's pages offer nothing that the service would refuse."""
    for address in (*EVERY_LIST, "/settings/members", "/settings/organization"):
        page.goto(address)
        chrome.settled(page)
        main = page.get_by_role("main")
        offers = main.get_by_role("button", name=WRITE_BUTTONS)
        links = main.get_by_role("link", name=WRITE_BUTTONS)
        assert (offers.all_inner_texts(), links.all_inner_texts()) == ([], []), address
    navigation = page.get_by_role("navigation", name="Main")
    expect(navigation.get_by_role("link", name="Members")).to_be_visible()
    expect(navigation.get_by_role("link", name="Audit")).to_have_count(0)
    expect(navigation.get_by_role("link", name="API keys")).to_have_count(0)
    for address in ("/settings/audit", "/settings/api-keys", "/pipelines/new", "/connections/new"):
        page.goto(address)
        expect(page.get_by_role("heading", level=1, name="Not for your role")).to_be_visible()


@pytest.mark.feature("A2", "A10")
def test_an_invitation_knows_who_looks_at_it(stack: Stack, chromium: Browser) -> None:
    """Signed in as somebody else, with a password, by one click; and not a second time."""
    host, guest, other = (stack.sign_up(name) for name in ("idhost", "idguest", "idother"))
    invitation = {"email": "owner@idguest.example.com", "role": "admin"}
    link = host.post("/invitations", invitation)["link"]
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, other)
    page.goto(link)
    expect(page.get_by_text("You are signed in as owner@idother.example.com")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    for password in ("not the password", chrome.PASSWORD):
        page.get_by_role("textbox", name="Password").fill(password)
        page.get_by_role("button", name="Join", exact=True).click()
        if password != chrome.PASSWORD:
            expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_test_id("organization")).to_have_text("idhost")

    page.goto(other.post("/invitations", invitation)["link"])
    page.get_by_role("button", name="Accept as Owner").click()
    expect(page.get_by_test_id("organization")).to_have_text("idother")
    enter(page, guest.slug)

    page.goto(link)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Accept|Join"))).to_have_count(0)
    assert chrome.wrong(page) == []
    page.context.close()


@pytest.mark.feature("A14", "A15")
def test_a_key_is_shown_once_works_until_it_is_revoked_and_the_audit_tells_it(
    stack: Stack, chromium: Browser
) -> None:
    account = stack.sign_up("idkeys")
    account.http.patch("/organization", json={"name": "Key makers"})
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    key = make_key(page, "nightly deploy")
    assert ask(stack, key, "GET", "/workflows") == 200
    assert ask(stack, key, "POST", "/workflows") == 403
    page.reload()
    chrome.settled(page)
    assert key not in page.content()

    page.get_by_role("button", name="Revoke nightly deploy").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("No key yet")).to_be_visible()
    assert ask(stack, key, "GET", "/workflows") == 401

    read_audit(page)
    export(page)
    assert chrome.wrong(page) == []
    page.context.close()


def make_key(page: Page, name: str) -> str:
    """Through the form, with the preset for running workflows."""
    page.goto("/settings/api-keys")
    page.get_by_role("button", name="New API key").click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("button", name="Run workflows").click()
    expect(page.get_by_role("checkbox", name="runs: execute")).to_be_checked()
    expect(page.get_by_role("checkbox", name="workflows: write")).not_to_be_checked()
    page.get_by_role("button", name="Create key").click()
    shown = page.get_by_label("API key", exact=True)
    expect(shown).to_have_value(re.compile(r"^etf_\d+_\S{20,}$"))
    key = shown.input_value()
    expect(page.get_by_role("region", name="Example")).to_contain_text(f"Bearer {key}")
    page.get_by_role("button", name="I have it").click()
    expect(page.get_by_role("table", name="API keys").get_by_text(name)).to_be_visible()
    return key


def ask(stack: Stack, key: str, method: str, path: str) -> int:
    """The status of a request that the key makes."""
    url = f"{stack.layout.api_url}/api/v1{path}"
    body = {"name": "By a key"} if method == "POST" else None
    return httpx.request(
        method, url, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60
    ).status_code


def read_audit(page: Page) -> None:
    """The making and the end of the key, and what a renaming changed."""
    page.goto("/settings/audit")
    expect(page.get_by_text(re.compile(r"\d+ entries, chain intact"))).to_be_visible()
    entries = page.get_by_role("table", name="Entries")
    for entry in ("create api key", "delete api key"):
        expect(entries.get_by_role("button", name=re.compile(entry)).first).to_be_visible()
    entries.get_by_role("button", name=re.compile("update organization")).first.click()
    row = page.get_by_role("table", name="What changed").get_by_role("row").filter(has_text="name")
    expect(row).to_contain_text("changed")
    expect(row).to_contain_text("idkeys")
    expect(row).to_contain_text("Key makers")
    expect(page.get_by_text("Request:")).to_be_visible()


def export(page: Page) -> None:
    """The file holds what the page shows, with the same filters."""
    page.goto("/settings/audit?type=api_key")
    chrome.settled(page)
    expect(page.get_by_text("2 shown, that is all")).to_be_visible()
    with page.expect_download() as waited:
        page.get_by_role("button", name="Export CSV").click()
    with waited.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["action"] for row in rows] == ["delete", "create"]
    assert {row["resource_type"] for row in rows} == {"api_key"}
    assert waited.value.suggested_filename == "audit-idkeys.csv"


@pytest.mark.feature("A2", "A18")
def test_switching_takes_every_tab_along(stack: Stack, chromium: Browser) -> None:
    account = stack.sign_up("idswitch")
    account.post("/workflows", {"name": "Only of the first"})
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    other_tab = page.context.new_page()
    other_tab.goto("/workflows")
    expect(other_tab.get_by_text("Only of the first")).to_be_visible()

    page.get_by_test_id("organization").click()
    page.get_by_role("menuitem", name="New organization…").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Second room")
    page.get_by_role("button", name="Create and enter").click()
    for tab in (page, other_tab):
        expect(tab.get_by_test_id("organization")).to_have_text("Second room")
        expect(tab.get_by_role("heading", level=1, name="Home")).to_be_visible()
    other_tab.get_by_role("link", name="Workflows", exact=True).click()
    chrome.settled(other_tab)
    expect(other_tab.get_by_text("Only of the first")).to_have_count(0)

    enter(other_tab, "idswitch")
    expect(page.get_by_test_id("organization")).to_have_text("idswitch")
    page.get_by_role("link", name="Workflows", exact=True).click()
    expect(page.get_by_text("Only of the first")).to_be_visible()
    assert chrome.wrong(page) == []
    page.context.close()


def enter(page: Page, organization: str) -> None:
    """By the menu in the header."""
    page.get_by_test_id("organization").click()
    page.get_by_role("menuitem", name=organization).click()
    expect(page.get_by_test_id("organization")).to_have_text(organization)


@pytest.mark.feature("A4", "A8")
def test_a_new_password_ends_the_other_sessions(stack: Stack, chromium: Browser) -> None:
    account = stack.sign_up("idpassword")
    page, other = chrome.new_page(chromium, stack), chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    chrome.sign_in(other, account)
    page.goto("/profile")
    sessions = page.get_by_role("table", name="Sessions")
    expect(sessions.locator("[data-session=other]")).to_have_count(2)  # a browser and the API's
    expect(sessions.locator("[data-session=current]")).to_contain_text("this one")

    change_password(page, "not the password", NEW_PASSWORD)
    expect(page.get_by_role("alert")).to_be_visible()
    change_password(page, chrome.PASSWORD, NEW_PASSWORD)
    expect(page.get_by_text("Every other session of yours has ended.")).to_be_visible()
    expect(sessions.locator("[data-session=other]")).to_have_count(0)

    # Its home page asks for the runs every few seconds, so it notices by itself.
    expect(other.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Profile")).to_be_visible()
    for tab in (page, other):
        tab.context.close()


def change_password(page: Page, current: str, new: str) -> None:
    """On the profile."""
    page.get_by_role("textbox", name="Current password").fill(current)
    page.get_by_role("textbox", name="New password").fill(new)
    page.get_by_role("button", name="Change the password").click()


@pytest.mark.feature("A1", "A11")
def test_a_deleted_organization_is_left_and_can_be_restored(
    stack: Stack, chromium: Browser
) -> None:
    account = stack.sign_up("iddanger")
    account.post("/organizations", {"name": "Staying"})
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    page.goto("/settings/organization")
    page.get_by_label("Description").fill("Here for a while")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Saved.")).to_be_visible()

    page.get_by_role("button", name="Delete…").click()
    really = page.get_by_role("dialog").get_by_role("button", name="Delete the organization")
    expect(really).to_be_disabled()
    page.get_by_role("dialog").get_by_role("textbox").fill("iddanger")
    really.click()
    expect(page.get_by_test_id("organization")).to_have_text("Staying")
    expect(page.get_by_text("iddanger is deleted")).to_be_visible()

    page.goto("/profile")
    page.get_by_role("button", name="Restore iddanger").click()
    expect(page.get_by_text("iddanger is back")).to_be_visible()
    expect(page.get_by_role("table", name="Deleted organizations")).to_have_count(0)
    enter(page, "iddanger")
    page.goto("/settings/organization")
    expect(page.get_by_label("Description")).to_have_value("Here for a while")
    assert chrome.wrong(page) == []
    page.context.close()


@pytest.mark.feature("A20")
def test_no_text_of_a_user_becomes_a_script(stack: Stack, chromium: Browser) -> None:
    """The text is seen as it is, on every page that shows it; no dialog, no broken policy."""
    account = stack.sign_up("idattack")
    poison(account)
    page = chrome.new_page(chromium, stack)
    seen = watch(page)
    chrome.sign_in(page, account)
    places = (
        ("/", "banner"),
        ("/connections", "main"),
        ("/workflows", "main"),
        ("/settings/organization", "main"),
        ("/settings/members", "main"),
        ("/settings/api-keys", "main"),
        ("/settings/audit", "main"),
        ("/profile", "main"),
    )
    for address, landmark in places:
        page.goto(address)
        chrome.settled(page)
        assert shows(page.get_by_role(landmark), ATTACK), f"{address} does not show the text"
        assert page.locator("img[src=x]").count() == 0, address
    page.get_by_role("button", name="Account").click()
    page.get_by_test_id("organization").click()
    for code in (ATTACK, "link_required"):
        page.goto(f"/profile?problem={code}")
        chrome.settled(page)
        assert not shows(page.get_by_role("main").get_by_role("alert"), ATTACK)
    assert seen == []
    assert chrome.wrong(page) == []
    page.context.close()


def poison(account: Account) -> None:
    """The attack in each text that a user may choose."""
    for path, body in (
        ("/organization", {"name": ATTACK, "description": ATTACK}),
        ("/me", {"name": ATTACK}),
    ):
        assert account.http.patch(path, json=body).is_success, path
    upload = account.upload("poison.csv", b"a\n1\n")
    config = {"uploads": [upload]}
    account.post("/connections", {"name": ATTACK, "connector": "csv", "config": config})
    account.post("/workflows", {"name": ATTACK, "description": ATTACK})
    account.post("/api-keys", {"name": ATTACK, "scopes": ["runs:read"]})


def watch(page: Page) -> list[str]:
    """Dialogs and violations of the content policy, as they happen."""
    seen: list[str] = []

    def dialog(found: Any) -> None:
        seen.append(f"dialog: {found.message}")
        found.dismiss()

    def said(message: Any) -> None:
        if "Content Security Policy" in message.text:
            seen.append(message.text)

    page.on("dialog", dialog)
    page.on("console", said)
    return seen


def shows(place: Locator, text: str) -> bool:
    """Whether the text stands there, or in a field of a form."""
    fields = place.locator("input, textarea")
    values = [field.input_value() for field in fields.all()]
    return any(text in part for part in [*place.all_inner_texts(), *values])


def choose(page: Page, field: Locator, option: str) -> None:
    """An option of a select."""
    field.click()
    page.get_by_role("option", name=option, exact=True).click()
