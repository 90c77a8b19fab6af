"""The supervisor of a task is killed under Airflow: its writer dies, the retry is exact."""

import os
import signal

import psutil
import psycopg
import pytest

from cli.stack import control
from tests.e2e.running import Stack, eventually

ROWS = 400_000

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(
        "ETLFABRIC_KILLS" not in os.environ,
        reason="waits for Airflow's heartbeat timeout of two minutes; `make prove` runs it",
    ),
]


@pytest.mark.feature("X3", "I6")
def test_a_killed_supervisor_takes_its_writer_along(stack: Stack) -> None:
    owner = stack.sign_up("orphans")
    lines = "".join(f"{number},{number % 97}\n" for number in range(ROWS))
    owner.csv_pipeline(
        "readings", {"readings": f"id,value\n{lines}".encode()}, write_disposition="append"
    )
    owner.publish()
    run = owner.start()
    writer = eventually(lambda: _writer(stack), bool, seconds=60)
    supervisor = writer.parent()
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    eventually(writer.is_running, lambda alive: not alive, seconds=10)
    ended = owner.finished(run, seconds=400)
    assert ended["state"] == "success"
    tries = {task["task_id"]: task["try_number"] for task in ended["tasks"]}
    assert tries["readings"] == 2
    assert owner.count("raw", "readings") == ROWS


def _writer(stack: Stack) -> psutil.Process | None:
    """The process that holds the load's sessions at the warehouse."""
    with psycopg.connect(stack.superuser_url("warehouse")) as connection:
        found = connection.execute(
            "select client_port from pg_stat_activity where application_name like 'etlfabric/%'"
        ).fetchall()
    ports = {port for (port,) in found}
    for process in control.marked(stack.layout):
        try:
            if any(c.laddr.port in ports for c in process.net_connections("tcp")):
                return process
        except psutil.NoSuchProcess:
            continue  # it ended while we looked
    return None
