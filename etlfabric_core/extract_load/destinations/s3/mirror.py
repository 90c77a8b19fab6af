"""A dataset below a prefix of a bucket, and what loads write down there.

Beside dlt's own folders lies `_etlfabric_load/<pipeline>.json`: the epoch of the writer and the
tables that it ever appended to.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from etlfabric_core.connectors.record import parse
from etlfabric_core.connectors.s3 import S3Config, bucket_of
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.writer import FencedError, Writer
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.files.objects import StoredObject, explained, listed

LOADS = "_dlt_loads"
STATES = "_dlt_pipeline_state"
SCHEMAS = "_dlt_version"
NOTES = "_etlfabric_load"
TAKEN = (409, 412)  # another write is under way, or was there first


@dataclass(frozen=True)
class Mirror:
    """The dataset as keys below `root`; `client` is botocore's, to the checked addresses."""

    client: Any
    bucket: str
    root: str
    writer: Writer

    @classmethod
    def of(cls, endpoint: Endpoint, writer: Writer) -> "Mirror":
        """The dataset of a writer.

        Raises:
            InvalidConfig: a field is wrong, or nobody looked the host up.
        """
        bucket = bucket_of(endpoint)
        prefix = parse(S3Config, endpoint.config).prefix
        root = "/".join(filter(None, (prefix.strip("/"), writer.dataset)))
        return cls(bucket.client(), bucket.name, f"{root}/", writer)

    def entries(self, folder: str, beginning: str = "") -> Iterator[StoredObject]:
        """What lies below a folder of the dataset under names that begin so, sorted.

        Raises:
            TerminalError, TransientError: the bucket cannot be listed.
        """
        return listed(self.client, self.bucket, f"{self.root}{folder}/{beginning}**")

    def name_of(self, entry: StoredObject, folder: str) -> str:
        """The name of what was listed, below the folder."""
        return entry.key.removeprefix(f"{self.root}{folder}/")

    def names(self, folder: str, beginning: str = "") -> Iterator[str]:
        """The names below a folder of the dataset that begin so; see `entries`."""
        return (self.name_of(entry, folder) for entry in self.entries(folder, beginning))

    def read(self, name: str) -> bytes | None:
        """The bytes of a name below the dataset; None: there are none.

        Raises:
            TerminalError, TransientError: they cannot be read.
        """
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.root + name)
            return bytes(answer["Body"].read())
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise explained(error, f"'{name}'") from None
        except BotoCoreError as error:
            raise explained(error, f"'{name}'") from None

    def write(self, name: str, body: Any) -> None:
        """Writes bytes, or an open file.

        Raises:
            TerminalError, TransientError: they cannot be written.
        """
        try:
            self.client.put_object(Bucket=self.bucket, Key=self.root + name, Body=body)
        except (ClientError, BotoCoreError) as error:
            raise explained(error, f"'{name}'") from None

    def write_new(self, name: str, body: bytes) -> bool:
        """Writes bytes where nothing is yet, in one step; False: something is, and stays.

        Raises:
            TerminalError, TransientError: they cannot be written.
        """
        try:
            self.client.put_object(
                Bucket=self.bucket, Key=self.root + name, Body=body, IfNoneMatch="*"
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in TAKEN:
                return False
            raise explained(error, f"'{name}'") from None
        except BotoCoreError as error:
            raise explained(error, f"'{name}'") from None
        return True

    def upload(self, folder: Path, name: str) -> None:
        """Writes a file that lies below the folder under the same name."""
        with (folder / name).open("rb") as file:
            self.write(name, file)

    def remove(self, name: str) -> None:
        """Removes a name; doing it again is no error.

        Raises:
            TerminalError, TransientError: it cannot be removed.
        """
        try:
            self.client.delete_object(Bucket=self.bucket, Key=self.root + name)
        except (ClientError, BotoCoreError) as error:
            raise explained(error, f"'{name}'") from None

    def completed(self) -> set[str]:
        """The ids of this pipeline's complete loads."""
        beginning = f"{self.writer.pipeline}__"
        names = self.names(LOADS, beginning)
        return {name.removeprefix(beginning).removesuffix(".jsonl") for name in names}

    def take_over(self) -> None:
        """Becomes the one writer.

        Raises:
            FencedError: a newer try is already there.
        """
        notes = self._notes()
        if notes["epoch"] > self.writer.epoch:
            raise FencedError
        self._note(notes["tables"])

    def require_current(self) -> None:
        """Checks that nobody has taken over.

        Raises:
            FencedError: somebody has.
        """
        if self._notes()["epoch"] != self.writer.epoch:
            raise FencedError

    def require_write_new(self) -> None:
        """Checks, on the notes that are there, that the server does not write over them.

        Raises:
            TerminalError: it does.
        """
        name = f"{NOTES}/{self.writer.pipeline}.json"
        if self.write_new(name, self.read(name) or b""):
            raise TerminalError(
                "the storage writes over what is there although it is asked not to "
                "(If-None-Match), which Delta tables need",
                hint="set table_format of the connection to parquet, or use another storage",
            )

    @property
    def appended(self) -> list[str]:
        """The tables that the pipeline ever appended to."""
        return list(self._notes()["tables"])

    def note_appended(self, tables: list[str]) -> None:
        """Remembers tables that are about to be appended to."""
        self.require_current()
        self._note(sorted({*self.appended, *tables}))

    def _notes(self) -> dict[str, Any]:
        found = self.read(f"{NOTES}/{self.writer.pipeline}.json")
        notes: dict[str, Any] = json.loads(found) if found else {"epoch": 0, "tables": []}
        return notes

    def _note(self, tables: list[str]) -> None:
        notes = {"epoch": self.writer.epoch, "tables": tables}
        self.write(f"{NOTES}/{self.writer.pipeline}.json", json.dumps(notes).encode())
