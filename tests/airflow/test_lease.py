"""One writer at a time: a lease is kept while it is held, and its loss is noticed."""

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from etlfabric_airflow import lease
from etlfabric_airflow.service import Service
from metadata_stand_in import MetadataStandIn
from task_run import RUN

from etlfabric_core.errors import TransientError


class Leases:
    """Grants one holder at a time, like the service: 409 for everybody else."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.holder: str | None = None
        self.epoch = 0

    def __call__(self, route: str, body: dict[str, Any]) -> tuple[int, bytes]:
        action = route.split("/")[1]
        if self.holder not in (None, body["holder"]):
            return 409, b'{"message": "held"}'
        if action == "release":
            self.holder = None
        elif action == "acquire":
            self.holder, self.epoch = body["holder"], self.epoch + 1
        elif body["epoch"] != self.epoch:
            return 409, b'{"message": "fenced"}'
        expires = datetime.fromtimestamp(time.time() + self.seconds, UTC)
        return 200, json.dumps({"epoch": self.epoch, "expires_at": expires.isoformat()}).encode()


def check_for(held: lease.KeptLease, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        held.check()
        time.sleep(0.05)


def test_a_lease_is_renewed_while_it_is_held_and_given_back(service: MetadataStandIn) -> None:
    leases = service.answers["leases"] = Leases(seconds=3)
    with lease.KeptLease(Service.from_environment(), RUN) as held:
        check_for(held, seconds=4)
        assert held.epoch == 1
    assert leases.holder is None
    assert len(service.bodies("leases/renew")) >= 2


def test_a_fenced_writer_learns_it(service: MetadataStandIn) -> None:
    leases = service.answers["leases"] = Leases(seconds=3)
    with lease.KeptLease(Service.from_environment(), RUN) as held:
        leases.holder = "somebody else"
        with pytest.raises(TransientError, match="lost"):
            check_for(held, seconds=5)


def test_a_lease_ends_when_the_service_is_gone_for_too_long(service: MetadataStandIn) -> None:
    service.answers["leases"] = Leases(seconds=2)
    with lease.KeptLease(Service.from_environment(), RUN) as held:
        service.answers["leases"] = lambda *_: (503, b"")
        held.check()
        with pytest.raises(TransientError, match="lost"):
            check_for(held, seconds=5)


def test_a_second_writer_waits_for_the_first(
    service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.05)
    leases = service.answers["leases"] = Leases(seconds=30)
    client = Service.from_environment()
    with lease.KeptLease(client, RUN):
        threading.Timer(0.3, lambda: setattr(leases, "holder", None)).start()
        with lease.KeptLease(client, RUN) as second:
            assert second.epoch == 2


def test_a_second_writer_gives_up_for_a_retry(
    service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(lease, "WAIT_SECONDS", 0.2)
    service.answers["leases"] = Leases(seconds=30)
    client = Service.from_environment()
    with lease.KeptLease(client, RUN), pytest.raises(TransientError, match="another run"):
        lease.KeptLease(client, RUN).__enter__()
