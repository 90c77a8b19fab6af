"""Tables in buckets, looked at by programs that had no part in writing them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow.parquet as pq
import pytest

from etlfabric_core.extract_load.plan import Endpoint
from tests.destinations import DATASET
from tests.s3_server import S3Server

ROOT = f"lake/{DATASET}/"


@dataclass(frozen=True)
class LakeTarget:
    """A bucket of its own, and what readers of one format find in it."""

    server: S3Server
    bucket: str
    table_format: str

    @classmethod
    def new(cls, server: S3Server, table_format: str) -> "LakeTarget":
        """Skips the test where the readers of the format are not installed."""
        if table_format == "delta":
            pytest.importorskip("deltalake", reason="needs etlfabric[delta]")
        name = f"b{uuid4().hex[:12]}"
        server.client.create_bucket(Bucket=name)
        return cls(server, name, table_format)

    def endpoint(self, **changes: Any) -> Endpoint:
        config = {"prefix": "lake/", "table_format": self.table_format, **changes}
        return self.server.endpoint(self.bucket, **config)

    def keys(self, folder: str = "") -> list[str]:
        """What lies below a folder of the dataset."""
        pages = self.server.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=ROOT + folder
        )
        found = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return [key.removeprefix(ROOT) for key in found]

    def read(self, key: str) -> bytes:
        answer = self.server.client.get_object(Bucket=self.bucket, Key=ROOT + key)
        return bytes(answer["Body"].read())

    def put(self, key: str, content: bytes | str) -> None:
        self.server.put_object(self.bucket, ROOT + key, content)

    def remove(self, key: str) -> None:
        self.server.client.delete_object(Bucket=self.bucket, Key=ROOT + key)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """SQL over the tables of the dataset: DuckDB reads the files that make them up."""
        with self.copied() as folder, duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            for table in sorted(path for path in folder.iterdir() if path.name[0] != "_"):
                if table.is_dir() and (files := self.files(table)):
                    listed = ", ".join(f"'{file}'" for file in files)
                    connection.execute(
                        f"create view {table.name} as "
                        f"select * from read_parquet([{listed}], union_by_name = true)"
                    )
            return connection.execute(statement).fetchall()

    def files(self, table: Path) -> list[str]:
        """The files of a copied table; of a Delta table those that deltalake reads."""
        if self.table_format == "parquet":
            return sorted(map(str, table.glob("*.parquet")))
        from deltalake import DeltaTable

        delta = DeltaTable(str(table))
        files = sorted(delta.file_uris())
        rows = sum(pq.read_metadata(file).num_rows for file in files)
        assert delta.to_pyarrow_table().num_rows == rows
        return files

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """The dataset as a folder."""
        with TemporaryDirectory() as folder:
            for key in self.keys():
                path = Path(folder) / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self.read(key))
            yield Path(folder)
