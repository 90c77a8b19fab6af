"""A real S3 server on the loopback: SeaweedFS in a folder of its own."""

import json
import os
import shutil
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from etlfabric_core.extract_load.plan import Endpoint

KEY, SECRET = "AKIDTESTS", "s3-test-secret"
READER_KEY, READER_SECRET = "AKIDOTHER", "other-test-secret"
START_SECONDS = 60


@dataclass(frozen=True)
class S3Server:
    """A running server, and a client with all rights."""

    port: int
    client: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def put(self, bucket: str, **objects: bytes | str) -> None:
        for key, content in objects.items():
            self.put_object(bucket, key, content)

    def put_object(self, bucket: str, key: str, content: bytes | str) -> None:
        body = content if isinstance(content, bytes) else content.encode()
        self.client.put_object(Bucket=bucket, Key=key, Body=body)

    def endpoint(self, bucket: str, **changes: Any) -> Endpoint:
        secrets = changes.pop("secrets", {"access_key_id": KEY, "secret_access_key": SECRET})
        addresses = changes.pop("addresses", ("127.0.0.1",))
        config = {"bucket": bucket, "endpoint_url": self.url, **changes}
        return Endpoint(connector="s3", config=config, secrets=secrets, addresses=addresses)


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Starts it, waits until it answers, and ends it."""
    ports = [_free_port() for _ in range(8)]
    keys = folder / "s3.json"
    keys.write_text(json.dumps(_identities()))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
    names += ("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")
    options = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    with (folder / "weed.log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(Path(sysconfig.get_path("scripts")) / "weed"),
                "server",
                f"-dir={folder}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-volume.max=1000",  # every bucket takes some
                "-master.volumeSizeLimitMB=64",
                "-master.telemetry=false",
                "-s3",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                f"-s3.config={keys}",
                *options,
            ],
            stdout=log,
            stderr=log,
            env={"HOME": str(folder), "PATH": os.environ["PATH"]},
        )
    try:
        yield S3Server(ports[6], _answering_client(ports[6], process))
    finally:
        process.kill()  # it would take half a minute to end in order
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _identities() -> dict[str, Any]:
    def identity(name: str, key: str, secret: str, actions: list[str]) -> dict[str, Any]:
        pair = {"accessKey": key, "secretKey": secret}
        return {"name": name, "credentials": [pair], "actions": actions}

    return {
        "identities": [
            identity("tests", KEY, SECRET, ["Admin", "Read", "List", "Tagging", "Write"]),
            identity("other", READER_KEY, READER_SECRET, ["Read:theirs", "List:theirs"]),
        ]
    }


def _answering_client(port: int, process: "subprocess.Popen[bytes]") -> Any:
    client = Session().create_client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, "the S3 server ended while it started"
        try:
            client.create_bucket(Bucket="started")
            client.put_object(Bucket="started", Key="x", Body=b"x")
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)  # until it answers
        else:
            return client


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
