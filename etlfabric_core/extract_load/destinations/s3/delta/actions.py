"""One commit of a Delta table as the actions of its log, which Delta's protocol describes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from etlfabric_core.extract_load.destinations.s3.delta.columns import LOCAL_TIME, Field
from etlfabric_core.extract_load.destinations.s3.delta.snapshot import (
    LEGACY_READER,
    LEGACY_WRITER,
    READER,
    WRITER,
    DataFile,
    Snapshot,
)

Action = dict[str, Any]
NTZ = "timestampNtz"
BEFORE_NAMES = ["appendOnly", "invariants"]  # what version 2 of writers stood for


@dataclass(frozen=True)
class Commit:
    """What changes in a table: files that come and go, and its columns afterwards."""

    fields: Sequence[Field]
    added: Mapping[str, DataFile] = field(default_factory=dict)
    removed: Mapping[str, DataFile] = field(default_factory=dict)

    def is_empty(self, there: Snapshot) -> bool:
        """Whether the table is that already."""
        return not (self.added or self.removed or tuple(self.fields) != there.fields)

    def names(self, there: Snapshot) -> set[str]:
        """The files of the table afterwards."""
        return ({*there.files} - {*self.removed}) | {*self.added}

    def actions(self, there: Snapshot, app_id: str, epoch: int, now_ms: int) -> Iterator[Action]:
        """What to write; `app_id` and `epoch` say who writes."""
        mode = "Overwrite" if self.removed else "Append"
        yield {
            "commitInfo": {
                "timestamp": now_ms,
                "operation": "WRITE",
                "operationParameters": {"mode": mode, "partitionBy": "[]"},
                "engineInfo": "etlfabric",
            }
        }
        yield from self._protocol(there)
        if tuple(self.fields) != there.fields:
            yield {"metaData": self._metadata(there, now_ms)}
        yield {"txn": {"appId": app_id, "version": epoch, "lastUpdated": now_ms}}
        for name, file in self.removed.items():
            yield {"remove": {**_file(name, file), **_removal(now_ms)}}
        for name, file in self.added.items():
            stats = json.dumps({"numRecords": file.rows})
            yield {"add": {**_file(name, file), "modificationTime": now_ms, "stats": stats}}

    def _protocol(self, there: Snapshot) -> Iterator[Action]:
        named = any(one["type"] == LOCAL_TIME for one in self.fields)
        if named and NTZ not in there.features:
            writer = sorted({NTZ, *there.features, *(BEFORE_NAMES if there.version >= 0 else ())})
            yield _protocol(READER, WRITER, readerFeatures=[NTZ], writerFeatures=writer)
        elif there.version < 0:
            yield _protocol(LEGACY_READER, LEGACY_WRITER)

    def _metadata(self, there: Snapshot, now_ms: int) -> Action:
        new = {"id": str(uuid4()), "configuration": {}, "createdTime": now_ms}
        return {
            **new,
            **{key: value for key, value in there.metadata.items() if value is not None},
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": list(self.fields)}),
            "partitionColumns": [],
        }


def _protocol(reader: int, writer: int, **features: list[str]) -> Action:
    versions = {"minReaderVersion": reader, "minWriterVersion": writer}
    return {"protocol": {**versions, **features}}


def _file(name: str, file: DataFile) -> Action:
    return {"path": name, "partitionValues": {}, "size": file.size, "dataChange": True}


def _removal(now_ms: int) -> Action:
    return {"deletionTimestamp": now_ms, "extendedFileMetadata": True}
