"""The whole running stack, once per test session, in a folder and on ports of its own."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from cli.stack.layout import PROJECT, Layout
from tests.e2e import browser as chrome
from tests.e2e.running import Stack
from tests.e2e.web_desk import Desk
from tests.e2e.web_looks import Looks

FOREIGN = ("ETLFABRIC_", "AIRFLOW")  # of a stack that the developer has running
PORTS = 3  # Airflow's, the service's, PostgreSQL's


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """PostgreSQL, Airflow and the metadata service, healthy; all gone at the end."""
    running = new_stack(tmp_path_factory.mktemp("stack") / "v r")  # a space, as paths may have
    try:
        running.etlfabric("up")
        yield running
    finally:
        running.etlfabric("down", check=False)
        if keep := os.environ.get("ETLFABRIC_KEEP_LOGS"):
            shutil.copytree(running.layout.logs, keep, dirs_exist_ok=True)


def new_stack(var: Path) -> Stack:
    """A stack in `var` on free ports; not started."""
    first = _free_ports(PORTS)
    environment = {name: v for name, v in os.environ.items() if not name.startswith(FOREIGN)}
    environment |= {
        "ETLFABRIC_VAR": str(var),
        "ETLFABRIC_AIRFLOW_PORT": str(first),
        "ETLFABRIC_API_PORT": str(first + 1),
        "ETLFABRIC_POSTGRES_PORT": str(first + 2),
        # Tests have their sources on this machine.
        "ETLFABRIC_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
        # All of them come from one address.
        "ETLFABRIC_RATE_LIMITS": '{"register": "1000/hour", "sign_in_address": "1000/minute"}',
        "XDG_CONFIG_HOME": str(var.with_name(f"{var.name} config")),
        "PYTHONPATH": os.pathsep.join((str(PROJECT), str(PROJECT / "plugins"))),
    }
    return Stack(Layout.from_environment(environment), environment)


def _free_ports(count: int) -> int:
    """The first of `count` free ports in a row, below those that the kernel gives out.

    Each process begins somewhere else: what is free now, another stack could be about to take.
    """
    places = range(20_000, 32_000, count)
    begin = os.getpid() % len(places)
    for first in (*places[begin:], *places[:begin]):
        probes = [socket.socket() for _ in range(count)]
        try:
            for offset, probe in enumerate(probes):
                probe.bind(("127.0.0.1", first + offset))
        except OSError:
            continue
        else:
            return first
        finally:
            for probe in probes:
                probe.close()
    raise AssertionError(f"no {count} ports in a row are free")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the module."""
    with chrome.chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def desk(request: pytest.FixtureRequest, stack: Stack, chromium: Browser) -> Iterator[Desk]:
    """One session for the module; at its end nothing may have gone wrong in the browser."""
    account = stack.sign_up(request.module.__name__.rpartition("test_web_")[2] + "desk")
    page = chrome.new_page(chromium, stack)
    chrome.sign_in(page, account)
    made = Desk(page, account, stack, Looks(page))
    yield made
    assert made.looks.found == {}
    assert chrome.wrong(page) == []
    page.context.close()
