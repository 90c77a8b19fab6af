"""The line to the source or to the destination breaks after some bytes, or the server restarts.

Each time the load says what was lost and may be tried again, a reader sees no mixture, and the
next try ends exact. By default one break in some ways; with `ETLFABRIC_KILLS=50` three in all.
"""

import os
import random
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from cli.stack.ports import free_port
from cli.stack.postgres import FAST_AND_LOOSE, EmbeddedPostgres
from etlfabric_core.connectors.postgres import connect
from etlfabric_core.errors import TransientError
from etlfabric_core.extract_load.destinations.postgres.client import credentials
from etlfabric_core.extract_load.destinations.writer import Writer
from etlfabric_core.extract_load.plan import LoadPlan
from tests.faults.load_process import IS_WHOLE, SEED, LoadProcess
from tests.faults.places import AS_TEXT, PATHS, WAYS, fill, is_exact, load_plan
from tests.faults.proxy import Proxy, proxy
from tests.loading import Warehouse, new_warehouse, run

ROWS = 400_000 if IS_WHOLE else 40_000
BREAKS = 3 if IS_WHOLE else 1
SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}  # as `pg_ctl restart -m` sends them

pytestmark = pytest.mark.feature("C12")


@pytest.fixture(scope="module")
def source(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        fill(made, ROWS)
        yield made


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres) -> Iterator[Warehouse]:
    with new_warehouse(postgres) as made:
        yield made


@pytest.mark.parametrize(("how", "path"), WAYS)
def test_the_source_breaks_off(warehouse, source, tmp_path, how, path):
    with proxy(source.server.port, "to_client") as line:
        endpoint = source.endpoint(schema=source.dataset, port=line.port)

        def planned(name: str) -> LoadPlan:
            return load_plan(warehouse, source, name, how, read_from=endpoint, **PATHS[path])

        broken_and_mended(line, planned, warehouse, source, tmp_path)


@pytest.mark.parametrize(("how", "path"), WAYS)
def test_the_destination_breaks_off(warehouse, source, tmp_path, how, path):
    with proxy(warehouse.server.port, "to_server") as line:
        behind = warehouse.endpoint(port=line.port)

        def planned(name: str) -> LoadPlan:
            made = load_plan(warehouse, source, name, how, **PATHS[path])
            return made.model_copy(update={"destination": behind})

        broken_and_mended(line, planned, warehouse, source, tmp_path)


def broken_and_mended(
    line: Proxy,
    planned: Callable[[str], LoadPlan],
    warehouse: Warehouse,
    source: Warehouse,
    tmp_path: Path,
) -> None:
    """The first half arrives, then the whole is broken off at random, and tried again."""
    chance = random.Random(SEED)
    work = tmp_path / "work"
    for attempt in range(BREAKS):
        if attempt:
            warehouse.execute("truncate t")
        run(planned("early"), work, {}, 10 * attempt + 1)
        before = line.passed
        warehouse.execute("truncate t")
        run(planned("early"), work, {}, 10 * attempt + 2)
        of_half = line.passed - before  # what a load of half the rows sends
        cut_at = chance.randint(of_half // 10, of_half)
        line.break_after(cut_at)
        with pytest.raises(TransientError) as caught:
            run(planned("everything"), work, {}, 10 * attempt + 3)
        assert line.cut.is_set()
        print(f"ETLFABRIC_SEED={SEED} cut after {cut_at} bytes: {caught.value.message}")
        assert caught.value.hint
        assert list(work.iterdir()) == []
        if planned("early").window is None:
            assert is_exact(warehouse, source, "early")
        line.mend()
        run(planned("everything"), work, {}, 10 * attempt + 4)
        assert is_exact(warehouse, source)
        assert warehouse.count("_etlfabric_load") == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedPostgres]:
    """A destination of this module's own, to be restarted."""
    data_dir = tmp_path_factory.mktemp("restarted") / "data"
    made = EmbeddedPostgres(data_dir, free_port(), "test-superuser", settings=FAST_AND_LOOSE)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("mode", SIGNALS)
@pytest.mark.parametrize("stage", ["extract", "normalize"])
def test_the_destination_restarts(server, source, tmp_path, stage, mode):
    with new_warehouse(server) as warehouse:
        run(load_plan(warehouse, source, "early", "append"), tmp_path / "work", {}, 1)
        whole = load_plan(warehouse, source, "everything", "append", **AS_TEXT)
        process = LoadProcess.start(whole, tmp_path / "work", {}, 2)
        process.wait_for(stage)
        process.pause()
        restart(server, SIGNALS[mode])
        process.resume()
        assert process.end() == ("failed", "transient")
        run(whole, tmp_path / "work", {}, 3)
        assert is_exact(warehouse, source)
        assert warehouse.count("_etlfabric_load") == 0


def restart(server: EmbeddedPostgres, how: signal.Signals) -> None:
    assert server.process is not None
    server.process.send_signal(how)
    server.process.wait(60)
    server.start()


def test_the_destination_is_down_for_the_first_try(server, source, tmp_path):
    with new_warehouse(server) as warehouse:
        whole = load_plan(warehouse, source, "everything", "replace")
        server.stop()
        try:
            with pytest.raises(TransientError, match="nothing listens at"):
                run(whole, tmp_path / "work", {}, 1)
        finally:
            server.start()
        run(whole, tmp_path / "work", {}, 2)
        assert is_exact(warehouse, source)


def test_a_server_that_vanishes_is_given_up(warehouse):
    """Every session of a load asks the system to do so; the bytes need not be lost for it."""
    endpoint = warehouse.endpoint()
    address = credentials(endpoint, Writer("pipeline", warehouse.dataset, 1))
    with (
        connect(endpoint) as one,
        closing(psycopg2.connect(address.to_native_representation())) as two,
    ):
        for session in (one, two):
            with socket.socket(fileno=os.dup(session.fileno())) as line:
                assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
                assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
                assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 90_000
