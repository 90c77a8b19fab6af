"""Progress of a load: not too often, never without its end, never in its way."""

import time

import pytest
from etlfabric_airflow import progress
from etlfabric_airflow.service import Service
from metadata_stand_in import MetadataStandIn
from task_run import RUN


@pytest.mark.feature("D11")
def test_progress_is_sent_at_most_once_a_second_and_the_last_one_always(
    service: MetadataStandIn,
) -> None:
    began = time.monotonic()
    with progress.ProgressSender(Service.from_environment(), RUN) as send:
        while time.monotonic() - began < 1.5:
            send("extract", {"orders": int((time.monotonic() - began) * 1000)})
            time.sleep(0.01)
        send("load", {"orders": 99})
    sent = service.bodies("progress")
    assert 2 <= len(sent) <= 3
    assert (sent[-1]["stage"], sent[-1]["rows"]) == ("load", {"orders": 99})


def test_progress_never_holds_a_load_up(service: MetadataStandIn) -> None:
    service.answers["progress"] = lambda *_: (503, b"")
    with progress.ProgressSender(Service.from_environment(), RUN) as send:
        send("extract", {"orders": 1})
