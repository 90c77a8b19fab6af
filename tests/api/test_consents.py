"""A person's consent: asked for at the provider, brought back by the same person, kept sealed."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from etlfabric_core.connectors import google
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.services import consents, probe, probe_child
from etlfabric_core.services.probe import Prober
from tests.api.conftest import MakeMember, MakeOrg, OrgClient, TwoOrgs
from tests.google_server import SPREADSHEET, Google, google_server

pytestmark = pytest.mark.feature("B4")

PATH = "/api/v1/connections"
CONFIG = {"spreadsheet": SPREADSHEET, "auth": "oauth2", "client_id": "c1"}
BODY = {
    "name": "Sheets",
    "connector": "google_sheets",
    "config": CONFIG,
    "secrets": {"client_secret": "s3cret"},
}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Google]:
    """Google's stand-in. Probes ask within this process: a child would ask the real one."""

    async def ask(prober: Prober, question: str, endpoint: Endpoint, **arguments: Any) -> Any:
        request = {"question": question, "files": {}, "arguments": arguments}
        request["endpoint"] = endpoint.model_dump(mode="json")
        said = await asyncio.to_thread(probe_child.answer, request)
        return probe._answer(json.dumps(said).encode())

    with google_server(monkeypatch) as made:
        made.codes = {"good": google.SHEETS_SCOPE}
        monkeypatch.setattr(probe, "ask", ask)
        yield made


async def begun(owner: OrgClient, **body: Any) -> tuple[int, dict[str, str]]:
    """A connection, and what its person is sent to Google with."""
    made = await owner.post(PATH, json=BODY | body)
    assert made.status_code == 201, made.text
    assert made.json()["consent"] == "Google"
    asked = await owner.post(f"{PATH}/{made.json()['id']}/consent")
    assert asked.status_code == 200, asked.text
    url = urlsplit(asked.json()["url"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == google.AUTHORIZE_URI
    return made.json()["id"], {name: one for name, (one,) in parse_qs(url.query).items()}


async def test_the_consent_becomes_a_secret_of_the_connection(
    make_org: MakeOrg, provider: Google
) -> None:
    owner = await make_org()
    id, asked = await begun(owner)
    assert asked["client_id"] == "c1"
    assert asked["scope"] == google.SHEETS_SCOPE
    assert (asked["access_type"], asked["prompt"]) == ("offline", "consent")
    assert "s3cret" not in str(asked)
    answer = {"code": "good", "state": asked["state"]}
    finished = await owner.put(f"{PATH}/{id}/consent", json=answer)
    assert finished.status_code == 200, finished.text
    assert finished.json()["secrets"] == {"client_secret": "***", "refresh_token": "***"}
    exchange = provider.asked[-1]
    assert exchange["redirect_uri"] == asked["redirect_uri"]
    assert exchange["client_secret"] == "s3cret"
    assert len(exchange["code_verifier"]) >= 43  # RFC 7636 §4.1
    assert exchange["code_verifier"] not in asked["state"]
    tested = await owner.post(f"{PATH}/{id}/test")
    assert tested.json()["ok"], tested.text
    assert provider.asked[-1]["refresh_token"] == "1//given"
    entries = (await owner.get("/api/v1/audit", params={"resource_type": "connection"})).json()
    assert entries["items"][0]["new_values"]["secrets"] == ["refresh_token"]
    assert "1//given" not in str(entries)


async def test_a_code_that_google_refuses_changes_nothing(
    make_org: MakeOrg, provider: Google
) -> None:
    owner = await make_org()
    id, asked = await begun(owner)
    answer = {"code": "made up", "state": asked["state"]}
    refused = await owner.put(f"{PATH}/{id}/consent", json=answer)
    assert refused.status_code == 422
    assert "Google refused to sign in" in refused.json()["message"]
    assert (await owner.get(f"{PATH}/{id}")).json()["secrets"] == {"client_secret": "***"}


async def test_only_who_asked_brings_it_back(
    two_orgs: TwoOrgs, make_member: MakeMember, provider: Google
) -> None:
    id, asked = await begun(two_orgs.a)
    other, _ = await begun(two_orgs.a, name="Other sheets")
    theirs, of_b = await begun(two_orgs.b)
    colleague = await make_member(two_orgs.a, "editor")
    tries = [
        (colleague, id, asked["state"]),
        (two_orgs.a, other, asked["state"]),
        (two_orgs.a, id, of_b["state"]),
        (two_orgs.b, theirs, asked["state"]),
        (two_orgs.a, id, f"{id}.x"),
        (two_orgs.a, id, "x"),
    ]
    for caller, connection, state in tries:
        answer = {"code": "good", "state": state}
        refused = await caller.put(f"{PATH}/{connection}/consent", json=answer)
        assert refused.status_code == 409, refused.text
        assert "asked for by somebody else" in refused.json()["message"]
    assert (await two_orgs.b.post(f"{PATH}/{id}/consent")).status_code == 404
    assert provider.asked == []


async def test_it_is_asked_for_anew_after_ten_minutes(
    make_org: MakeOrg, provider: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await make_org()
    monkeypatch.setattr(consents, "LIFETIME", timedelta(0))
    id, asked = await begun(owner)
    late = await owner.put(f"{PATH}/{id}/consent", json={"code": "good", "state": asked["state"]})
    assert late.status_code == 409
    assert provider.asked == []


async def test_other_connections_ask_for_none(make_org: MakeOrg, provider: Google) -> None:
    owner = await make_org()
    config = {"spreadsheet": SPREADSHEET}
    made = (await owner.post(PATH, json=BODY | {"config": config, "secrets": {}})).json()
    assert made["consent"] is None
    refused = await owner.post(f"{PATH}/{made['id']}/consent")
    assert refused.status_code == 409
    assert "oauth2" in refused.json()["hint"]
