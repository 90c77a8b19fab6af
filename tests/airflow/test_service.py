"""The client of the metadata service keeps its token to itself."""

import logging

import pytest
from etlfabric_airflow.service import Service
from metadata_stand_in import TOKEN, MetadataStandIn


def test_the_token_is_not_logged(
    service: MetadataStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    Service.from_environment().get("/publications", after=0, limit=1)
    assert TOKEN not in caplog.text
    assert "httpcore" in {record.name.split(".")[0] for record in caplog.records}
