"""Who may use the cookie, which other origins may call, and the headers of every answer."""

import httpx
import pytest
from fastapi import FastAPI

from etlfabric_core.settings import Settings
from tests.api.conftest import MakeOrg
from tests.api.other_service import WEB, other_service, sign_in

AUTH = "/api/v1/auth"
COOKIE_ROUTES = (
    ("/refresh", {}),
    ("/switch", {"organization": "{slug}"}),
    ("/logout", {}),
)
# What a browser says of the page that asks, and whether it is ours. `{host}` is the service's own.
PAGES = [
    ({}, True),  # an old browser says nothing; the header of our own pages decides
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Origin": "http://{host}"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://{host}"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:5173"}, True),  # a dev server
    ({"Sec-Fetch-Site": "same-site", "Origin": "http://evil.{host}"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, False),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "none"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://{host}"}, False),
    ({"Sec-Fetch-Site": "nonsense"}, False),
    ({"Origin": "https://evil.example"}, False),
    ({"Origin": "http://{host}.evil.example"}, False),
    ({"Origin": "http://{host}:8443"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": ""}, False),
    ({"Origin": "https://allowed.example"}, False),  # may call the API, but not with our cookie
]


@pytest.mark.parametrize(("route", "body"), COOKIE_ROUTES)
async def test_a_cookie_counts_for_our_own_pages_only(
    make_org: MakeOrg, client: httpx.AsyncClient, route: str, body: dict[str, str]
) -> None:
    known = await make_org()
    client.headers.update(WEB)
    filled = {name: value.format(slug=known.slug) for name, value in body.items()}
    await sign_in(client, known.email)
    for page, ours in sorted(PAGES, key=lambda one: one[1]):  # what is refused uses nothing up
        headers = {name: value.format(host="service.test") for name, value in page.items()}
        answer = await client.post(f"{AUTH}{route}", json=filled, headers=headers)
        assert answer.status_code == 403 if not ours else answer.is_success, (page, answer.text)
        if route == "/logout" and ours:
            await sign_in(client, known.email)


@pytest.mark.parametrize(("route", "body"), COOKIE_ROUTES)
async def test_a_cookie_without_the_header_is_refused(
    make_org: MakeOrg, client: httpx.AsyncClient, route: str, body: dict[str, str]
) -> None:
    known = await make_org()
    assert "set-cookie" in (await _sign_in_as_page(client, known.email)).headers
    filled = {name: value.format(slug=known.slug) for name, value in body.items()}
    for headers in ({}, {"X-Requested-With": "XMLHttpRequest"}, {"Origin": "http://service.test"}):
        answer = await client.post(f"{AUTH}{route}", json=filled, headers=headers)
        assert answer.status_code == 403
    form = await client.post(f"{AUTH}{route}", data={"organization": known.slug})
    assert form.status_code in (403, 422)
    assert (await client.post(f"{AUTH}/refresh", headers=WEB)).status_code == 200


async def _sign_in_as_page(client: httpx.AsyncClient, email: str) -> httpx.Response:
    body = {"email": email, "password": "a long enough password"}
    return await client.post(f"{AUTH}/login", json=body, headers=WEB)


async def test_a_token_in_the_body_needs_no_header_and_gets_no_cookie(
    make_org: MakeOrg, client: httpx.AsyncClient
) -> None:
    known = await make_org()
    signed_in = await sign_in(client, known.email)
    assert "set-cookie" not in signed_in.headers
    body = {"refresh_token": signed_in.json()["refresh_token"]}
    answer = await client.post(
        f"{AUTH}/refresh", json=body, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


@pytest.mark.feature("A8")
async def test_the_cookie_is_bound_to_https_where_browsers_come_by_https(
    make_org: MakeOrg, settings: Settings
) -> None:
    known = await make_org()
    url = "https://fabric.example/"
    async with other_service(settings, public_url=url) as service, service.client() as browser:
        browser.headers.update(WEB)
        browser.base_url = httpx.URL(url)
        answer = await sign_in(browser, known.email)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Secure-etlfabric_refresh=")
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"secure", "httponly", "samesite=strict", "path=/api/v1/auth"} <= attributes
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        ours = {"Origin": "https://fabric.example"}
        assert (await browser.post(f"{AUTH}/refresh", headers=ours)).status_code == 200
        out = await browser.post(f"{AUTH}/logout", headers=ours)
        assert out.status_code == 204
        assert 'etlfabric_refresh=""' in out.headers["set-cookie"]
        assert not browser.cookies


PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@pytest.mark.feature("A20")
async def test_other_origins_may_call_only_when_they_are_listed(
    make_org: MakeOrg, settings: Settings
) -> None:
    listed = "https://allowed.example"
    known = await make_org()
    bearer = {"Authorization": known.headers["Authorization"]}
    async with (
        other_service(settings, cors_origins=f"{listed}, https://second.example") as service,
        service.client() as page,
    ):
        for origin, allowed in (
            (listed, True),
            ("https://second.example", True),
            ("https://evil.example", False),
            ("https://allowed.example.evil.example", False),
            ("http://allowed.example", False),
            ("https://allowed.example:8443", False),
            ("null", False),
        ):
            asked = await page.options("/api/v1/me", headers=PREFLIGHT | {"Origin": origin})
            answer = await page.get("/api/v1/me", headers=bearer | {"Origin": origin})
            assert answer.status_code == 200
            for response in (asked, answer):
                granted = response.headers.get("access-control-allow-origin")
                assert granted == (origin if allowed else None)
                assert "access-control-allow-credentials" not in response.headers
        marked = PREFLIGHT | {"Access-Control-Request-Headers": "x-requested-with"}
        for headers in (marked, PREFLIGHT | {"Access-Control-Request-Method": "TRACE"}):
            refused = await page.options("/api/v1/me", headers=headers | {"Origin": listed})
            assert refused.status_code == 400


@pytest.mark.feature("A20")
async def test_no_other_origin_is_allowed_by_default(client: httpx.AsyncClient) -> None:
    headers = PREFLIGHT | {"Origin": "https://evil.example"}
    asked = await client.options("/api/v1/me", headers=headers)
    answer = await client.get("/healthz", headers={"Origin": "https://evil.example"})
    for response in (asked, answer):
        assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_every_answer_has_the_security_headers(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    answers = [
        await client.get("/healthz"),
        await client.get("/api/v1/me"),
        await client.get("/api/v1/nowhere"),
        await client.post(f"{AUTH}/login", content=b"{"),
        await client.post(f"{AUTH}/login", content=b"x" * (2 << 20)),
        await client.get("/docs"),
        await client.post("/internal/v1/reports", json={}),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "camera=()" in answer.headers["permissions-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "strict-transport-security" not in answer.headers  # this one is reached by http
