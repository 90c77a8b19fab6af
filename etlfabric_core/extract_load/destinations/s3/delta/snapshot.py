"""What a Delta table is at one version, as deltalake reads it from a copy of its log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.destinations.s3.delta.columns import Field

# What a writer has to know. Whoever writes to a table with more, and does not know it, breaks it.
KNOWN = {"timestampNtz", "appendOnly", "invariants"}
LEGACY_READER, LEGACY_WRITER = 1, 2
READER, WRITER = 3, 7  # from which on features have names


@dataclass(frozen=True)
class DataFile:
    """A file of a table. `rows` is None where its writer did not say."""

    size: int
    rows: int | None


@dataclass(frozen=True)
class Snapshot:
    """A table at a version; before its first one it is -1. `epoch` is this pipeline's last."""

    version: int = -1
    files: Mapping[str, DataFile] = field(default_factory=dict)
    fields: tuple[Field, ...] = ()
    features: frozenset[str] = frozenset()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    epoch: int | None = None

    @classmethod
    def of(cls, table: Any, name: str, app_id: str) -> "Snapshot":
        """What deltalake has read.

        Raises:
            TerminalError: somebody made a table of it that loads cannot write to.
        """
        fields = tuple(json.loads(table.schema().to_json())["fields"])
        metadata, protocol = table.metadata(), table.protocol()
        features = _features(protocol)
        if why := _why_not(metadata, fields, features):
            raise TerminalError(
                f"table '{name}' has {why}, which loads do not write",
                hint="load into a new dataset",
            )
        return cls(
            version=table.version(),
            files=_files(table),
            fields=fields,
            features=features,
            metadata={
                "id": metadata.id,
                "name": metadata.name,
                "description": metadata.description,
                "configuration": metadata.configuration,
                "createdTime": metadata.created_time,
            },
            epoch=table.transaction_version(app_id),
        )


def _features(protocol: Any) -> frozenset[str]:
    if protocol.min_writer_version <= LEGACY_WRITER and protocol.min_reader_version == 1:
        return frozenset()
    if (protocol.min_reader_version, protocol.min_writer_version) != (READER, WRITER):
        return frozenset({f"version {protocol.min_writer_version} of the protocol"})
    return frozenset({*(protocol.reader_features or ()), *(protocol.writer_features or ())})


def _why_not(metadata: Any, fields: tuple[Field, ...], features: frozenset[str]) -> str:
    if unknown := sorted(features - KNOWN):
        return f"the feature {', '.join(unknown)}"
    if metadata.partition_columns:
        return "partitions"
    if metadata.configuration.get("delta.appendOnly") == "true":
        return "the property delta.appendOnly"
    if any(one["metadata"] or not one["nullable"] for one in fields):
        return "columns with conditions"
    return ""


def _files(table: Any) -> dict[str, DataFile]:
    import pyarrow as pa

    found = pa.table(table.get_add_actions(flatten=True))
    columns = (found.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
    return {path: DataFile(size, rows) for path, size, rows in zip(*columns, strict=True)}
