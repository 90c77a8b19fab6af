"""The edges of the service: guards, error shape, headers, limits, health, the web interface."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr

from api.app import create_app
from api.deps import Requires, get_person, get_principal
from api.deps_internal import require_internal
from api.deps_platform import RequiresPlatform
from etlfabric_core.settings import Settings
from tests.api.conftest import MakeOrg

PUBLIC = {
    "/api/v1/auth/register",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
    "/api/v1/auth/logout",
    "/api/v1/auth/switch",
    "/api/v1/auth/password/forgot",
    "/api/v1/auth/password/reset",
    "/api/v1/auth/email/verify",
    "/api/v1/auth/providers",
    "/api/v1/auth/saml/metadata",
    "/api/v1/auth/saml/consume",
    "/api/v1/auth/sso/{provider}/start",
    "/api/v1/auth/sso/{provider}/callback",
    "/api/v1/auth/invitations/look",
    "/api/v1/auth/invitations/accept",
    "/healthz",
    "/readyz",
    "/docs",
    "/docs/oauth2-redirect",
}
# Anybody who is signed in may, whatever the role.
ANY_ROLE = {
    "/api/v1/registry/connectors",
    "/api/v1/registry/kinds",
    "/api/v1/registry/roles",
}
# What belongs to a person, whatever the organization.
PERSONAL = {
    "/api/v1/me",
    "/api/v1/me/password",
    "/api/v1/me/email/verification",
    "/api/v1/me/sessions",
    "/api/v1/me/sessions/{id}",
    "/api/v1/me/identities",
    "/api/v1/me/identities/{provider}",
    "/api/v1/me/identities/{id}",
    "/api/v1/organizations",
    "/api/v1/organizations/deleted",
    "/api/v1/organizations/{id}",
    "/api/v1/organizations/{id}/restore",
}
INTERNAL = "/internal/v1/"


def _calls(route: APIRoute) -> list[object]:
    found, waiting = [], [route.dependant]
    while waiting:
        dependant = waiting.pop()
        found.append(dependant.call)
        waiting += dependant.dependencies
    return found


def test_every_route_has_a_guard(app: FastAPI) -> None:
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(routes) > 25
    for route in routes:
        if route.path in PUBLIC:
            continue
        calls = _calls(route)
        if route.path.startswith(INTERNAL):
            assert require_internal in calls, route.path
        elif route.path in ANY_ROLE:
            assert get_principal in calls, route.path
        elif route.path in PERSONAL:
            assert get_person in calls, route.path
        else:
            guards = (Requires, RequiresPlatform)
            assert any(isinstance(call, guards) for call in calls), route.path


async def test_without_a_token_every_guarded_route_answers_401(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    for route in app.routes:
        if not isinstance(route, APIRoute) or route.path in PUBLIC:
            continue
        for method in route.methods:
            path = route.path
            for parameter in route.dependant.path_params:
                path = path.replace(f"{{{parameter.alias}}}", "1").replace(":path", "")
            response = await client.request(method, path)
            assert response.status_code == 401, (method, route.path, response.text)


async def test_errors_have_one_shape(make_org: MakeOrg) -> None:
    owner = await make_org()
    answers = [
        await owner.get("/api/v1/nowhere"),
        await owner.get("/elsewhere"),
        await owner.delete("/api/v1/me"),
        await owner.post("/api/v1/connections", content=b"{not json"),
        await owner.get("/api/v1/connections/notanumber"),
        await owner.get("/api/v1/connections/99999999999999999999999"),
        await owner.get("/api/v1/connections/-1"),
        await owner.post("/api/v1/connections", json={"name": "a\u0000", "connector": "csv"}),
        await owner.post("/api/v1/connections", content=b"x" * ((1 << 20) + 1)),
        await owner.post("/api/v1/uploads", content=b"junk", headers={"Content-Type": "x/y"}),
        await owner.post(
            "/api/v1/uploads",
            content=b"junk",
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        ),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.text
        body = answer.json()
        assert set(body) == {"error", "message", "hint", "problems"}
        assert body["message"]
    assert answers[8].status_code == 413


@pytest.mark.feature("A20")
@pytest.mark.parametrize("depth", [50, 500, 5_000, 100_000])
async def test_a_body_that_is_nested_deeply_is_refused(make_org: MakeOrg, depth: int) -> None:
    owner = await make_org()
    bombs = [
        "[" * depth + "]" * depth,
        '{"a":' * depth + "1" + "}" * depth,
        '{"name": "x", "connector": "csv", "config": ' + '{"a":' * depth + "1" + "}" * depth + "}",
    ]
    for bomb in bombs:
        for path in ("/api/v1/connections", "/api/v1/auth/login", "/api/v1/workflows"):
            answer = await owner.post(
                path, content=bomb.encode(), headers={"Content-Type": "application/json"}
            )
            assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:300])
            assert set(answer.json()) == {"error", "message", "hint", "problems"}


async def test_an_unforeseen_error_tells_nothing(
    app: FastAPI, make_org: MakeOrg, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    owner = await make_org()

    async def broken(*args: object) -> None:
        password = "canary-in-a-local"
        raise RuntimeError(f"row {len(password)} of the ledger")

    monkeypatch.setattr("etlfabric_core.services.organizations.get", broken)
    response = await owner.get("/api/v1/organization")
    assert response.status_code == 500
    assert "ledger" not in response.text
    assert set(response.json()) == {"error", "message", "hint", "problems"}
    logged = capsys.readouterr().out
    assert response.headers["x-request-id"] in logged
    assert "RuntimeError" in logged
    assert "canary-in-a-local" not in logged


async def test_headers_and_request_id(client: httpx.AsyncClient) -> None:
    response = await client.get("/healthz", headers={"X-Request-ID": "abcdef12-3456"})
    assert response.headers["x-request-id"] == "abcdef12-3456"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in response.headers["content-security-policy"]
    odd = await client.get("/healthz", headers={"X-Request-ID": "x\tforged line"})
    assert odd.headers["x-request-id"] != "x\tforged line"
    private = await client.get("/api/v1/me")
    assert private.headers["cache-control"] == "no-store"
    assert private.headers["www-authenticate"] == "Bearer"


async def test_health(client: httpx.AsyncClient, settings: Settings) -> None:
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    nowhere = SecretStr("postgresql://etlfabric_service:x@127.0.0.1:9/etlfabric")
    away = settings.model_copy(update={"database_url": nowhere})
    transport = httpx.ASGITransport(app=create_app(away))
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as other:
        assert (await other.get("/healthz")).status_code == 200
        assert (await other.get("/readyz")).status_code == 503
        login = {"email": "a@example.com", "password": "a long password"}
        refused = await other.post("/api/v1/auth/login", json=login)
        assert (refused.status_code, refused.json()["error"]) == (503, "transient")


async def test_the_document_has_examples_and_errors(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/v1/openapi.json")).json()
    register = document["paths"]["/api/v1/auth/register"]["post"]
    assert {"201", "409", "422", "502"} <= set(register["responses"])
    assert document["components"]["schemas"]["RegisterIn"]["examples"]
    assert (await client.get("/docs")).status_code == 200
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            codes = set(operation["responses"])
            assert path in PUBLIC or path.startswith(INTERNAL) or "401" in codes, (method, path)


async def test_the_web_interface(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>page</p>")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "assets/app-1a2b.js").write_text("1")
    (tmp_path.parent / "outside.txt").write_text("canary")
    application = create_app(settings.model_copy(update={"web_dir": tmp_path}))
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://service.test") as browser:
        for path in ("/", "/runs/demo.flights/x", "/index.html"):
            page = await browser.get(path)
            assert page.text == "<p>page</p>"
            assert page.headers["cache-control"] == "no-cache"
        asset = await browser.get("/assets/app-1a2b.js")
        assert "immutable" in asset.headers["cache-control"]
        assert (await browser.get("/favicon.svg")).text == "<svg/>"
        assert (await browser.get("/assets/none.js")).status_code == 404
        missing = await browser.get("/api/v1/nowhere")
        assert (missing.status_code, missing.json()["error"]) == (404, "not_found")
        for path in ("/..%2foutside.txt", "/assets/..%2f..%2foutside.txt", "/%2e%2e/outside.txt"):
            assert "canary" not in (await browser.get(path)).text
