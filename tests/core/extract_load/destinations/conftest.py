"""Buckets that are destinations."""

import pytest

from tests.lakes import LakeTarget
from tests.s3_server import S3Server


@pytest.fixture(params=["parquet", "delta"])
def lake(request: pytest.FixtureRequest, s3: S3Server) -> LakeTarget:
    return LakeTarget.new(s3, request.param)
