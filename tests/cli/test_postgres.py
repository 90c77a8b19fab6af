"""The embedded PostgreSQL server: where it runs, whom it lets in, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg2
import pytest

from cli.stack.ports import free_port
from cli.stack.postgres import FAST_AND_LOOSE, EmbeddedPostgres, binaries, wait_until


@pytest.fixture
def server(tmp_path: Path):
    server = EmbeddedPostgres(
        tmp_path / "a b" / "pg", free_port(), "s:e/c@ret", settings=FAST_AND_LOOSE
    )
    server.start()
    yield server
    server.stop()


def ask(url: str, sql: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]
    finally:
        connection.close()


def test_answers_over_tcp_in_a_path_with_a_space(server):
    assert ask(server.url(), "select 1") == 1
    assert ask(server.url(), "show listen_addresses") == "127.0.0.1"
    assert ask(server.url(), "show server_encoding") == "UTF8"


def test_refuses_a_wrong_password(server):
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(server.url(password="wrong"))


def test_never_runs_as_root(server):
    assert psutil.Process(server.process.pid).uids().effective != 0


def test_data_outlives_a_restart(server):
    connection = psycopg2.connect(server.url())
    connection.autocommit = True
    connection.cursor().execute("create table kept as select 42 as answer")
    connection.close()
    server.stop()
    server.start()
    assert ask(server.url(), "select answer from kept") == 42


def test_lock_file_of_a_process_id_used_again_does_not_stop_the_start(server):
    server.stop()
    lock_file = server.data_dir / "postmaster.pid"
    lock_file.write_text(f"{os.getpid()}\n{server.data_dir}\n")
    server.start()
    assert ask(server.url(), "select 1") == 1


def test_dies_with_the_process_that_started_it(tmp_path):
    port = free_port()
    starter = (
        "import os, sys; from pathlib import Path; from cli.stack.postgres import *\n"
        f"s = EmbeddedPostgres(Path({str(tmp_path / 'pg')!r}), {port}, 'x')\n"
        "s.start(); print(s.process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    ran = subprocess.run([sys.executable, "-c", starter], capture_output=True, text=True)
    pid = int(ran.stdout)
    wait_until(
        lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie",
        20,
        lambda: AssertionError("the server outlived its starter"),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory closed to the server")
def test_runs_below_a_directory_that_only_root_may_enter(tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    server = EmbeddedPostgres(home / "pg", free_port(), "x", settings=FAST_AND_LOOSE)
    server.start()
    try:
        assert ask(server.url(), "select 1") == 1
    finally:
        server.stop()


def test_programs_come_from_the_wheel():
    assert (binaries() / "initdb").is_file()
