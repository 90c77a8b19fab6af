"""Objects of an S3 bucket as files that can be opened again, reached at checked addresses only.

Neither s3fs nor Arrow's own S3 can be told which addresses to connect to, so botocore signs the
requests and reads the answers, and our own pool carries them.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Literal, cast

from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.session import Session
from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as ReadTimedOut

from etlfabric_core.errors import FabricError, TerminalError, TransientError
from etlfabric_core.outbound import Origin, pinned_pools

READ_BYTES = 4 << 20  # one request brings so much
TRIES = 4
TIMEOUT = Timeout(connect=10, read=60)
# Nothing of the machine's own: no profile, no file, no instance's credentials.
NOTHING_OF_OURS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, "/dev/null", None),
    "credentials_file": (None, None, "/dev/null", None),
    "ca_bundle": (None, None, None, None),
}
REMEDIES = {
    "InvalidAccessKeyId": "check the access key id",
    "SignatureDoesNotMatch": "check the secret access key, and the region",
    "AuthorizationHeaderMalformed": "check the region",
    "PermanentRedirect": "set the region that the bucket is in",
    "IllegalLocationConstraintException": "set the region that the bucket is in",
    "NoSuchBucket": "check the name of the bucket, the region and the endpoint",
    "AccessDenied": "give the key the rights s3:ListBucket and s3:GetObject",
    "ExpiredToken": "enter a new session token",
    "RequestTimeTooSkewed": "set the clock of this machine",
}
LATER = ("SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout")


@dataclass(frozen=True)
class Bucket:
    """A bucket and how to reach it: the server's address, and the host that requests go to.

    Without a key requests are not signed.
    """

    name: str
    region: str
    url: str
    host: str
    path_style: bool
    addresses: Sequence[str]
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)

    def client(self) -> Any:
        """botocore's client, its requests carried by a pool of ours.

        Raises:
            InvalidConfig: nobody looked the host up.
        """
        server = Origin.of(self.url)
        origin = Origin(server.scheme, self.host, server.port)
        signed = {
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "aws_session_token": self.session_token or None,
        }
        client = Session(session_vars=NOTHING_OF_OURS).create_client(
            "s3",
            region_name=self.region,
            endpoint_url=self.url,
            config=Config(
                signature_version="s3v4" if self.access_key_id else UNSIGNED,
                s3={"addressing_style": "path" if self.path_style else "virtual"},
                retries={"mode": "standard", "max_attempts": TRIES},
                response_checksum_validation="when_required",
                ignore_configured_endpoint_urls=True,
            ),
            **(signed if self.access_key_id else {}),
        )
        pools = pinned_pools(origin, self.addresses)
        client.meta.events.register("before-send.s3", partial(_send, origin, pools))
        return client


def _send(origin: Origin, pools: PoolManager, request: Any, **_: Any) -> AWSResponse:
    """Sends what botocore made; the exceptions are those that it knows to try again."""
    origin.require(request.url)
    try:
        answer = pools.urlopen(
            request.method,
            request.url,
            body=request.body,
            headers=dict(request.headers.items()),
            timeout=TIMEOUT,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )
    except NewConnectionError as error:
        raise EndpointConnectionError(endpoint_url=request.url, error=error) from error
    except ReadTimedOut as error:
        raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
    except HTTPError as error:
        raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
    return AWSResponse(request.url, answer.status, answer.headers, answer)


@dataclass(frozen=True)
class StoredObject:
    """One object as the listing knew it; reading another state of it is an error."""

    client: Any = field(repr=False, compare=False)
    bucket: str
    key: str
    size: int
    etag: str

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Its bytes as a stream that can seek; a few MiB of them are held in memory."""
        return io.BufferedReader(_Ranges(self), READ_BYTES)

    def read(self, begin: int, size: int) -> bytes:
        """A part of it.

        Raises:
            TransientError: it was changed or removed since it was listed, or nothing answers.
            TerminalError: it may not be read.
        """
        last: Exception | None = None
        for _ in range(TRIES):
            try:
                answer = self.client.get_object(
                    Bucket=self.bucket,
                    Key=self.key,
                    IfMatch=self.etag,
                    Range=f"bytes={begin}-{begin + size - 1}",
                )
                return cast(bytes, answer["Body"].read())
            except ClientError as error:
                raise self._gone(error) or explained(error, f"file '{self.key}'") from None
            except BotoCoreError as error:
                last = error
        raise explained(last, f"file '{self.key}'")

    def _gone(self, error: ClientError) -> FabricError | None:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        what = {404: "was removed", 412: "was changed", 416: "was changed"}.get(status)
        if what is None:
            return None
        return TransientError(
            f"file '{self.key}' {what} while it was read",
            hint="nothing of it was loaded; the next try reads the files as they are then",
        )


class _Ranges(io.RawIOBase):
    """An object as a raw stream: each read is one request."""

    def __init__(self, stored: StoredObject) -> None:
        self._stored, self._at = stored, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._stored.size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._stored.size - self._at)
        if wanted <= 0:
            return 0
        piece = self._stored.read(self._at, wanted)
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


def listed(client: Any, bucket: str, pattern: str) -> Iterator[StoredObject]:
    """The objects whose keys match, sorted by key. `*` stays within a folder, `**` does not.

    Raises:
        TerminalError, TransientError: the bucket cannot be listed.
    """
    prefix = re.split(r"[*?]", pattern, maxsplit=1)[0]
    wanted = matcher(pattern)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    try:
        for page in pages:
            for entry in page.get("Contents", ()):
                if wanted.fullmatch(entry["Key"]):
                    yield StoredObject(client, bucket, entry["Key"], entry["Size"], entry["ETag"])
    except (ClientError, BotoCoreError) as error:
        raise explained(error, f"bucket '{bucket}'") from None


def matcher(pattern: str) -> re.Pattern[str]:
    """The pattern of keys as a regular expression."""
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts), re.DOTALL)


def explained(error: Exception | None, where: str) -> FabricError:
    """The server's refusal in our words, which repeat no key and no URL."""
    if isinstance(error, FabricError):
        return error
    if not isinstance(error, ClientError):
        return TransientError(
            f"{where}: the storage does not answer ({type(error).__name__})",
            hint="check the endpoint, and that the server is running",
        )
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    code = {"403": "AccessDenied", "404": "NoSuchBucket", "301": "PermanentRedirect"}.get(
        code, code
    )
    kind = TransientError if code in LATER or status >= 500 else TerminalError
    return kind(
        f"{where}: the storage answers {code}",
        hint=REMEDIES.get(code, "check bucket, endpoint and key"),
    )
