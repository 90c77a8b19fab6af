"""Columns of pipelines over the API: wrong ones are refused with their place; keys of masks."""

from typing import Any

import pyarrow
import pytest
from fastapi import FastAPI

from etlfabric_core.crypto import SecretUnreadable
from etlfabric_core.db.scope import org_select, org_session
from etlfabric_core.extract_load.shape.masks import masked
from etlfabric_core.graph.columns import Mask
from etlfabric_core.models import Organization, Revision
from etlfabric_core.services import mask_keys
from tests.api.runs_world import Member, World, published
from tests.api.test_workflow_graph import API, main_workflow, pipeline_body, source

RESOURCE = "config.resources.0"
PERSON = "person-4711@example.com"
HASHED = {"columns": {"tailnum": {"mask": "hash"}}}


async def saved(client: Any, **resource: Any) -> Any:
    workflow, connection = await main_workflow(client), await source(client)
    body = pipeline_body(workflow, connection, table="orders")
    body["config"]["resources"][0] |= resource
    return await client.post(f"{API}/pipelines", json=body)


@pytest.mark.feature("C2", "C5", "C6", "D4", "D6")
@pytest.mark.parametrize(
    ("resource", "field", "words"),
    [
        (
            {"columns": {"a": {"type": "money"}}},
            f"{RESOURCE}.columns.a.type",
            "Input should be 'text'",
        ),
        (
            {"columns": {"a": {"functions": [{"name": "eval"}]}}},
            f"{RESOURCE}.columns.a.functions.0",
            "no function 'eval'",
        ),
        (
            {"calculated": {"x": {"expression": "a +\n nope(b)", "type": "text"}}},
            f"{RESOURCE}.calculated.x",
            "line 2, column 2: no function 'nope'",
        ),
        (
            {"calculated": {"x": {"expression": "(select 1)", "type": "text"}}},
            f"{RESOURCE}.calculated.x",
            "subquery is not allowed",
        ),
        ({"write_disposition": "merge"}, RESOURCE, "needs a primary_key"),
        ({"write_disposition": "insert"}, RESOURCE, "needs a primary_key"),
        ({"contract": {"rows": "freeze"}}, f"{RESOURCE}.contract.rows", "not permitted"),
        ({"columns": {"a": "integer"}}, f"{RESOURCE}.columns.a", "valid dictionary"),
    ],
)
async def test_wrong_columns_are_refused_with_their_place(
    make_org: Any, resource: dict[str, Any], field: str, words: str
) -> None:
    answer = await saved(await make_org(), **resource)
    assert answer.status_code == 422, answer.text
    problem = answer.json()["problems"][0]
    assert problem["field"] == field
    assert words in problem["message"]


async def test_right_columns_are_stored_as_they_are(make_org: Any) -> None:
    columns = {"a": {"name": "b", "type": "integer", "functions": [{"name": "trim"}]}}
    answer = await saved(await make_org(), columns=columns, other_columns="exclude")
    assert answer.status_code == 201, answer.text
    stored = answer.json()["config"]["resources"][0]
    assert stored["columns"]["a"]["functions"] == [{"name": "trim", "arguments": []}]
    assert stored["other_columns"] == "exclude"


async def mask_key(world: World, member: Member, revision: int) -> str:
    body = {"run": member.run_ref("flights", revision=revision)}
    answer = await world.internal.post("/internal/v1/run-context", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["plan"]["mask_key"])


async def revise(world: World, member: Member, resource: dict[str, Any]) -> None:
    """The next revision, in which the pipeline's resource says more."""
    async with org_session(world.wiring.sessions, member.org_id) as session:
        old = (await session.scalars(org_select(Revision))).one()
        node = old.nodes["flights"]
        changed = {"resources": [node["config"]["resources"][0] | resource]}
        session.add(
            Revision(
                org_id=old.org_id,
                workflow_id=old.workflow_id,
                number=old.number + 1,
                content_hash="changed",
                spec=old.spec,
                nodes={**old.nodes, "flights": {**node, "config": node["config"] | changed}},
                changes=[],
            )
        )


async def test_an_organization_has_one_key_and_no_other_has_it(
    app: FastAPI, runs_world: World
) -> None:
    members = [await published(app, name) for name in ("masksone", "maskstwo")]
    keys = []
    for member in members:
        await revise(runs_world, member, HASHED)
        assert await mask_key(runs_world, member, 1) == ""
        keys.append(await mask_key(runs_world, member, 2))
        assert await mask_key(runs_world, member, 2) == keys[-1]
    assert len(bytes.fromhex(keys[0])) == mask_keys.KEY_BYTES
    assert keys[0] != keys[1]
    first, second = members
    async with org_session(runs_world.wiring.sessions, first.org_id) as session:
        sealed = (await session.get_one(Organization, first.org_id)).mask_key or b""
    assert keys[0].encode() not in sealed
    place = {"org_id": first.org_id, "field": mask_keys.FIELD}
    assert runs_world.wiring.box.open(sealed, **place) == {"key": keys[0]}
    with pytest.raises(SecretUnreadable):
        runs_world.wiring.box.open(sealed, **(place | {"org_id": second.org_id}))
    for member in members:
        await member.http.aclose()


@pytest.mark.feature("X12", "A3")
async def test_what_is_encrypted_is_revealed_to_administrators_of_its_organization_alone(
    app: FastAPI, runs_world: World
) -> None:
    members = [await published(app, name) for name in ("encone", "enctwo")]
    own, foreign = [await encrypted(runs_world, member) for member in members]
    asked = {"values": [own, foreign, "plain"]}
    first, second = members
    revealed = await first.http.post(f"{API}/tables/reveal", json=asked)
    assert revealed.json() == {"values": [PERSON, None, None]}
    revealed = await second.http.post(f"{API}/tables/reveal", json=asked)
    assert revealed.json() == {"values": [None, PERSON, None]}
    entry = (await first.http.get(f"{API}/audit", params={"action": "reveal"})).json()["items"][0]
    assert entry["new_values"] == {"asked": 3, "revealed": 1}
    assert PERSON not in str(entry)
    for member in members:
        await member.http.aclose()


async def encrypted(world: World, member: Member) -> str:
    """A value as a pipeline of the member's organization loads it."""
    await revise(world, member, {"columns": {"tailnum": {"mask": "encrypt"}}})
    key = bytes.fromhex(await mask_key(world, member, 2))
    return str(masked(pyarrow.chunked_array([[PERSON]]), Mask.ENCRYPT, key)[0])
