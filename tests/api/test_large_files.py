"""A large CSV file as its owner has it: uploaded in pieces, inspected, mapped, loaded.

By default 8 MiB; `ETLFABRIC_CSV_BYTES=1073741824` makes it the largest that is accepted. How long
each step took is printed, and the most memory that the processes behind it have used.
"""

import json
import os
import resource
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI

from api.app import create_app
from cli.stack.postgres import EmbeddedPostgres
from etlfabric_core.extract_load.inspection import BUDGET_S
from etlfabric_core.settings import Settings
from tests.api.conftest import MakeOrg
from tests.benchmarks.world import in_child, loaded
from tests.loading import csv_source, new_warehouse, plan

BYTES = int(os.environ.get("ETLFABRIC_CSV_BYTES", str(8 << 20)))
PIECE_BYTES = 8 << 20
LOAD_MIB = 512
HEADER = b"id,quantity,customer,reference,note,price,ratio,paid,changed_at,day\n"
ROW = (
    '{n},{n},customer {n},reference {n:032d},{n:08d} is ""the"" note,{n}.25,0.1,t,'
    "2020-01-01 00:00:07+00,2020-01-02\n"
)
BLOCK_ROWS = 10_000
CALCULATED = {"total": {"expression": "price * quantity", "type": "number"}}


@pytest.fixture(scope="module")
async def app(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FastAPI]:
    """A service that takes a file of this size."""
    folder = tmp_path_factory.mktemp("large") / "storage"
    larger = {"upload_max_bytes": BYTES, "storage_url": str(folder)}
    application = create_app(settings.model_copy(update=larger))
    async with application.router.lifespan_context(application):
        yield application


@contextmanager
def told(step: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    took = time.perf_counter() - began
    print(f"{step}, {BYTES:,} bytes: {took:.1f} s, at most {most:.0f} MiB in a child")


def written(path: Path) -> int:
    """A file of `BYTES` at most; the number of its rows."""
    rows, size = 0, len(HEADER)
    with path.open("wb") as file:
        file.write(HEADER)
        while True:
            block = [ROW.format(n=n).encode() for n in range(rows, rows + BLOCK_ROWS)]
            if size + sum(map(len, block)) > BYTES:
                return rows
            file.write(b"".join(block))
            rows, size = rows + BLOCK_ROWS, size + sum(map(len, block))


async def pieces(path: Path, begin: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        for _ in range(PIECE_BYTES >> 20):
            yield file.read(1 << 20)


@pytest.mark.feature("D1", "D2", "C3")
async def test_a_large_file_from_the_upload_to_the_table(
    make_org: MakeOrg, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    path = tmp_path / "large.csv"
    rows, size = written(path), path.stat().st_size
    org = await make_org()
    uploads = "/api/v1/uploads"
    with told("upload"):
        begun = await org.post(f"{uploads}/partial", json={"filename": path.name, "size": size})
        part = f"{uploads}/partial/{begun.json()['id']}"
        for offset in range(0, size, PIECE_BYTES):
            sent = await org.patch(
                part, content=pieces(path, offset), headers={"Upload-Offset": str(offset)}
            )
            assert sent.status_code == 204, sent.text
        upload = (await org.post(f"{part}/finish", json={})).json()
    assert upload["size"] == size
    began = time.perf_counter()
    with told("inspection"):
        found = await org.get(f"{uploads}/{upload['id']}/inspection")
    assert found.status_code == 200, found.text
    inspected = found.json()
    print(f"inspected {inspected['rows']} of {rows} rows, whole: {inspected['complete']}")
    # A busy machine may not get through in the time there is, and the answer says so.
    assert inspected["complete"] == (inspected["rows"] == rows)
    assert inspected["complete"] or time.perf_counter() - began > BUDGET_S
    columns = {one["name"]: {"type": one["type"]} for one in inspected["columns"]}
    assert columns["price"] == {"type": "number"}
    assert columns["changed_at"] == {"type": "timestamp"}
    config = {"uploads": [upload["id"]], **inspected["dialect"]}
    body = {"name": "Large", "connector": "csv", "config": config}
    connection = (await org.post("/api/v1/connections", json=body)).json()["id"]
    mapping = {"name": "large", "source": path.name, "columns": columns, "calculated": CALCULATED}
    with told("mapping"):
        draft = await org.post(
            f"/api/v1/connections/{connection}/draft", json={"resource": mapping}
        )
    assert draft.status_code == 200, draft.text
    assert draft.json()["rows"][1]["after"][-1] == "1.25"
    with new_warehouse(postgres) as warehouse, told("load"):
        source = csv_source({path.name: path}, **inspected["dialect"])
        asked = plan(warehouse, source, mapping, pipeline="large")
        (load,) = in_child((loaded, (asked, tmp_path / "work", 1, {path.name: path})))
        print(json.dumps({"load_s": round(load.seconds, 1), "peak_mib": round(load.peak_mib)}))
        totals = (
            "select count(*), sum(id), sum(total), count(distinct changed_at) from large "
            "where customer = 'customer ' || id and note like lpad(id::text, 8, '0') || ' %'"
        )
        numbers = sum(range(rows))
        total = sum(n * (n * 100 + 25) for n in range(rows))
        count, ids, hundredths, moments = warehouse.execute(totals)[0]
        assert (count, int(ids), int(hundredths * 100), moments) == (rows, numbers, total, 1)
    assert load.peak_mib <= LOAD_MIB
