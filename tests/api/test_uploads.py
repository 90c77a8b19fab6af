"""Uploads: store, list, preview, delete, and as files of a connection."""

import io
import zipfile

import pytest

from tests.api.conftest import MakeOrg, OrgClient, TwoOrgs

PATH = "/api/v1/uploads"
CSV = b"id,name\n1,Ada\n2,Grace\n"


async def sent(owner: OrgClient, name: str, content: bytes) -> int:
    response = await owner.post(PATH, files={"file": (name, content)})
    assert response.status_code == 201, response.text
    return int(response.json()["id"])


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.csv", content)
    return buffer.getvalue()


async def test_store_list_preview_delete(make_org: MakeOrg) -> None:
    owner = await make_org()
    id = await sent(owner, "people.csv", CSV)
    (listed,) = (await owner.get(PATH)).json()["items"]
    assert (listed["filename"], listed["size"]) == ("people.csv", len(CSV))
    preview = (await owner.get(f"{PATH}/{id}/preview")).json()
    assert preview["columns"] == ["id", "name"]
    assert preview["rows"] == [["1", "Ada"], ["2", "Grace"]]
    assert (await owner.delete(f"{PATH}/{id}")).status_code == 204
    assert (await owner.get(f"{PATH}/{id}/preview")).status_code == 404


async def test_a_zipped_file_is_previewed(make_org: MakeOrg) -> None:
    owner = await make_org()
    id = await sent(owner, "people.csv.zip", zipped(people=CSV))
    assert (await owner.get(f"{PATH}/{id}/preview")).json()["rows"][1] == ["2", "Grace"]
    two = await sent(owner, "two.zip", zipped(a=CSV, b=CSV))
    refused = await owner.get(f"{PATH}/{two}/preview")
    assert refused.status_code == 422
    assert "2 .csv files" in refused.json()["message"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,name\n1,Ada,extra\n", "line 2"),
        (b"id,id\n1,2\n", "occurs twice"),
        (b"id,name\n1,\xe9\n", "encoding"),
        (b'a\n"' + b"x" * 200_000, ""),
        (b"PK\x03\x04 not really a zip", ""),
    ],
)
async def test_a_broken_file_says_where(make_org: MakeOrg, content: bytes, words: str) -> None:
    owner = await make_org()
    id = await sent(owner, "broken.csv", content)
    response = await owner.get(f"{PATH}/{id}/preview")
    assert response.status_code in (200, 422)
    if words:
        answer = response.json()
        assert response.status_code == 422
        assert words in answer["message"] + answer["hint"]


async def test_an_empty_file_is_refused(make_org: MakeOrg) -> None:
    owner = await make_org()
    response = await owner.post(PATH, files={"file": ("empty.csv", b"")})
    assert response.status_code == 422
    assert response.json()["problems"][0]["field"] == "file"
    assert (await owner.post(PATH)).status_code == 422
    assert (await owner.get(PATH)).json()["items"] == []


async def test_a_file_that_is_too_large_is_refused(make_org: MakeOrg) -> None:
    owner = await make_org()
    for size in ((1 << 20) + 1, 3 << 20):
        response = await owner.post(PATH, files={"file": ("big.csv", b"x" * size)})
        assert response.status_code == 413
        assert response.json()["error"] == "too_large"
    just = await owner.post(PATH, files={"file": ("fits.csv", b"x" * (1 << 20))})
    assert just.status_code == 201


async def test_a_stream_without_a_length_is_cut(make_org: MakeOrg) -> None:
    owner = await make_org()

    async def pieces():
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'
        for _ in range(40):
            yield b"x" * (1 << 17)
        yield b"\r\n--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    response = await owner.post(PATH, content=pieces(), headers=headers)
    assert response.status_code == 413


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\temp\\x.csv", "/abs/olute.csv"])
async def test_a_name_is_text_not_a_path(make_org: MakeOrg, name: str) -> None:
    owner = await make_org()
    await sent(owner, name, CSV)
    (listed,) = (await owner.get(PATH)).json()["items"]
    assert "/" not in listed["filename"]
    assert "\\" not in listed["filename"]


async def test_files_of_a_connection(make_org: MakeOrg) -> None:
    owner = await make_org()
    ids = [await sent(owner, "people.csv", CSV), await sent(owner, "pets.csv", b"pet\nRex\n")]
    body = {"name": "Files", "connector": "csv", "config": {"uploads": ids}}
    made = (await owner.post("/api/v1/connections", json=body)).json()
    assert made["direction"] == "source"
    one = f"/api/v1/connections/{made['id']}"
    assert (await owner.post(f"{one}/test")).json()["ok"] is True
    found = (await owner.get(f"{one}/tables")).json()["items"]
    assert [item["source"] for item in found] == ["people.csv", "pets.csv"]
    assert (await owner.delete(f"{PATH}/{ids[0]}")).status_code == 409
    again = await sent(owner, "people.csv", b"id\n3\n")
    doubled = body | {"name": "Twice", "config": {"uploads": [ids[0], again]}}
    refused = await owner.post("/api/v1/connections", json=doubled)
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["field"] == "config.uploads"


@pytest.mark.feature("A18")
async def test_another_organizations_file_does_not_exist(two_orgs: TwoOrgs) -> None:
    id = await sent(two_orgs.b, "secret.csv", b"canary\n42\n")
    a = two_orgs.a
    assert (await a.get(f"{PATH}/{id}/preview")).status_code == 404
    assert (await a.delete(f"{PATH}/{id}")).status_code == 404
    assert (await a.get(PATH)).json()["items"] == []
    body = {"name": "Theirs", "connector": "csv", "config": {"uploads": [id]}}
    for path in ("/api/v1/connections", "/api/v1/connections/test"):
        draft = body if path.endswith("s") else {k: v for k, v in body.items() if k != "name"}
        assert (await a.post(path, json=draft)).status_code == 404
