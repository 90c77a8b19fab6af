"""S3 and storage that speaks like it: objects of a bucket as files, to read and to write."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, SecretStr, model_validator

from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.csv import CsvDialect
from etlfabric_core.connectors.files import JsonOptions, tested
from etlfabric_core.connectors.loading import FILES, LAKES, LoadingWhen
from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Direction,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    TableKind,
    TestResult,
    parse,
)
from etlfabric_core.connectors.sql import require_driver
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.files.formats import Format, format_of
from etlfabric_core.outbound import Origin

if TYPE_CHECKING:  # botocore takes long to import
    from etlfabric_core.files.objects import Bucket, StoredObject

MOST_FILES = 10_000  # in one table, and in the list to choose from


class TableFormat(StrEnum):
    """What makes a table of the files that loads write."""

    PARQUET = "parquet"
    DELTA = "delta"


class S3Config(ConnectorModel):
    """Where the bucket is."""

    bucket: str = Field(pattern=r"^[A-Za-z0-9._-]{3,63}$")
    region: str = Field("us-east-1", pattern=r"^[a-z0-9-]{1,40}$")
    endpoint_url: str = Field(
        "",
        pattern=r"^(https?://[A-Za-z0-9.-]+(:\d{1,5})?/?)?$",
        max_length=255,
        description="Address of an S3-compatible server; empty: Amazon's own.",
    )
    path_style: bool = Field(
        True, description="Whether the bucket is named in the path, not in the host."
    )
    prefix: str = Field("", max_length=1000, description="Folder that all names begin in.")
    table_format: TableFormat = Field(
        TableFormat.PARQUET,
        description="Of tables that are loaded there: all Parquet files of a folder, or Delta "
        "tables, which change in one step.",
    )

    @property
    def url(self) -> str:
        """The address of the server."""
        ending = ".cn" if self.region.startswith("cn-") else ""
        return self.endpoint_url.rstrip("/") or f"https://s3.{self.region}.amazonaws.com{ending}"

    @property
    def host(self) -> str:
        """The host that requests go to."""
        host = Origin.of(self.url).host
        return host if self.path_style else f"{self.bucket}.{host}"


class S3Secrets(ConnectorModel):
    """A key; a public bucket needs none."""

    access_key_id: SecretStr = SecretStr("")
    secret_access_key: SecretStr = SecretStr("")
    session_token: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _both_halves(self) -> Self:
        if bool(self.access_key_id) != bool(self.secret_access_key):
            raise ValueError("access_key_id and secret_access_key belong together")
        return self


class FileOptions(CsvDialect, JsonOptions):
    """How the files of one table are written."""

    format: Format | None = Field(None, description="Default: what the names of the files tell.")


def bucket_of(endpoint: Endpoint) -> "Bucket":
    """The bucket of a connection.

    Raises:
        InvalidConfig: a field is wrong.
    """
    from etlfabric_core.files.objects import Bucket

    config = parse(S3Config, endpoint.config)
    secrets = parse(S3Secrets, endpoint.secrets)
    return Bucket(
        name=config.bucket,
        region=config.region,
        url=config.url,
        host=config.host,
        path_style=config.path_style,
        addresses=endpoint.addresses,
        access_key_id=secrets.access_key_id.get_secret_value(),
        secret_access_key=secrets.secret_access_key.get_secret_value(),
        session_token=secrets.session_token.get_secret_value(),
    )


def require_format(table_format: TableFormat) -> None:
    """Checks that what a format takes is installed.

    Raises:
        InvalidConfig: it is not; the hint is the command that installs it.
    """
    if table_format is TableFormat.DELTA:
        require_driver("deltalake", "delta")


def hosts_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The host that requests go to."""
    return (parse(S3Config, config).host,)


def objects(endpoint: Endpoint, pattern: str) -> "list[StoredObject]":
    """The objects that a pattern below the prefix names, sorted by name.

    Raises:
        TerminalError: there are none, or too many.
        TransientError: the storage does not answer.
    """
    from etlfabric_core.files.objects import listed

    bucket = bucket_of(endpoint)
    whole = parse(S3Config, endpoint.config).prefix + pattern
    found = list(islice(listed(bucket.client(), bucket.name, whole), MOST_FILES + 1))
    found = [entry for entry in found if not entry.key.endswith("/")]
    if not found:
        raise TerminalError(
            f"no file in bucket '{bucket.name}' matches '{whole}'",
            hint="check the pattern: * stays within a folder, ** goes through folders",
        )
    if len(found) > MOST_FILES:
        raise TerminalError(
            f"more than {MOST_FILES} files match '{whole}'", hint="narrow the pattern"
        )
    return sorted(found, key=lambda entry: entry.key)


def loaded_files(endpoint: Endpoint, dataset: str, table: str) -> str:
    """The pattern of the files of a table that was loaded; names begin after the prefix."""
    prefix = parse(S3Config, endpoint.config).prefix
    slash = "/" if prefix and not prefix.endswith("/") else ""
    return f"{slash}{dataset}/{table}/*.parquet"


def files_of_a_log(endpoint: Endpoint, dataset: str, table: str) -> str:
    """Which files make up a Delta table cannot be told by their names.

    Raises:
        TerminalError: always.
    """
    raise TerminalError(
        f"the rows of '{table}' cannot be shown: which files count stands in its Delta log",
        hint="read it with what reads Delta tables, such as deltalake or Spark",
    )


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Lists the bucket and reads one byte of the first file."""

    def attempt() -> str:
        bucket = bucket_of(endpoint)
        config = parse(S3Config, endpoint.config)
        require_format(config.table_format)
        prefix = config.prefix
        found = list(islice(_readable(bucket, prefix), 1))
        for entry in found:
            entry.read(0, 1)
        return (
            f"bucket '{bucket.name}' can be read"
            if found
            else (f"bucket '{bucket.name}' can be listed; it holds no file below '{prefix}'")
        )

    return tested(attempt)


def _readable(bucket: "Bucket", prefix: str) -> "Iterator[StoredObject]":
    from etlfabric_core.files.objects import listed

    return (
        entry
        for entry in listed(bucket.client(), bucket.name, f"{prefix}**")
        if entry.size and format_of(entry.key)
    )


def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
    """The files of a format that can be read, of a large bucket the first ones.

    Raises:
        TerminalError, TransientError: the bucket cannot be listed.
    """
    prefix = parse(S3Config, endpoint.config).prefix
    names = (
        entry.key.removeprefix(prefix)
        for entry in islice(_readable(bucket_of(endpoint), prefix), MOST_FILES)
    )
    return [DiscoveredTable("", name, name, TableKind.FILE) for name in names]


def list_columns(endpoint: Endpoint, files: Files, table: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of the files that `table` names.

    Raises:
        TerminalError, TransientError: a file cannot be read.
    """
    from etlfabric_core.extract_load.sources import s3

    return s3.described(endpoint, table)


S3 = Connector(
    name="s3",
    label="S3",
    description="CSV, JSON and Parquet files of a bucket at Amazon or any S3-compatible server; "
    "loads write Parquet or Delta tables.",
    directions=frozenset(Direction),
    config=S3Config,
    secrets=S3Secrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    endpoint_fields=("endpoint_url", "region", "bucket", "path_style"),
    resource_options=FileOptions,
    hosts_of=hosts_of,
    loading=replace(FILES, source=loaded_files),
    loading_when=(
        LoadingWhen("table_format", TableFormat.DELTA, replace(LAKES, source=files_of_a_log)),
    ),
)
