"""What connectors on SQLAlchemy share: signing in, testing and browsing."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import CompileError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine

from etlfabric_core import addresses
from etlfabric_core.connectors.browse import cut
from etlfabric_core.connectors.record import (
    Browse,
    ConnectorModel,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    TableKind,
    TablePage,
    TableQuery,
    TestResult,
    parse,
)
from etlfabric_core.connectors.refusal import Refusal, told
from etlfabric_core.errors import FabricError, InvalidConfig, TerminalError, TransientError
from etlfabric_core.extract_load.plan import Endpoint

CONNECT_TIMEOUT_S = 10
# What drivers raise when a connection is gone.
LOST = ("OperationalError", "InterfaceError")
HOST_PATTERN = r"^[A-Za-z0-9._:-]+$"


@dataclass(frozen=True)
class SqlSystem:
    """One kind of SQL server.

    `engine` gives the arguments of `sqlalchemy.create_engine` for an endpoint and one of its
    addresses; the address is empty for a system whose hosts are the vendor's. `cursor_types` are
    the beginnings of types, in small letters, whose values grow. A column whose name holds
    `nested` is a part of another one. `lost` are the driver's errors, or their codes, that another
    try may not meet.
    """

    label: str
    config: type[ConnectorModel]
    driver: str
    engine: Callable[[Endpoint, str], dict[str, Any]]
    refusals: tuple[Refusal, ...]
    otherwise: Refusal
    version: str
    default_schema: Callable[[Endpoint], str]
    cursor_types: tuple[str, ...]
    extra: str | None = None
    vendor_hosts: bool = False
    nested: str | None = None
    lost: tuple[str | int, ...] = LOST

    @contextmanager
    def connect(self, endpoint: Endpoint) -> Iterator[Connection]:
        """A session at the first address that answers, closed at the end.

        Raises:
            InvalidConfig: the config is wrong, the driver is missing, or nobody looked the host up.
            TerminalError: the server refused (password, database, rights).
            TransientError: the server was not reached.
        """
        config = parse(self.config, endpoint.config)
        require_driver(self.driver, self.extra)
        *others, last = self.addresses(endpoint)
        for address in others:
            try:
                connection = self._opened(endpoint, address, config)
                break
            except TransientError:
                continue
        else:
            connection = self._opened(endpoint, last, config)
        try:
            yield connection
        except DBAPIError as error:
            raise failed(self.label, error, self.lost) from None
        finally:
            close(connection)

    def addresses(self, endpoint: Endpoint) -> tuple[str, ...]:
        """Where connections go.

        Raises:
            InvalidConfig: nobody looked the host up.
        """
        if self.vendor_hosts:
            return ("",)
        return addresses.checked(endpoint.config["host"], endpoint.addresses)

    def _opened(self, endpoint: Endpoint, address: str, config: ConnectorModel) -> Connection:
        arguments = self.engine(endpoint, address)
        try:
            return sqlalchemy.create_engine(
                **arguments, poolclass=NullPool, hide_parameters=True
            ).connect()
        except (SQLAlchemyError, OSError, ValueError, RuntimeError) as error:
            raise told(_words(error), self.refusals, self.otherwise, config) from None

    def test(self, endpoint: Endpoint, files: Files) -> TestResult:
        """Signs in and asks for the version. A refusal is an answer, not an exception."""
        started = time.monotonic()
        try:
            with self.connect(endpoint) as connection:
                version = str(connection.scalar(sqlalchemy.text(self.version))).splitlines()[0]
        except FabricError as error:
            return TestResult(False, error.message, _milliseconds(started), hint=error.hint)
        message = f"connected to {self.label} {version}"
        return TestResult(True, message, _milliseconds(started), version)

    def browse(self) -> Browse:
        """Browsing by SQLAlchemy's inspector."""
        return Browse(self._schemas, self._tables, self._columns)

    def _schemas(self, endpoint: Endpoint, files: Files) -> tuple[str, ...]:
        with self.connect(endpoint) as connection:
            return tuple(sorted(sqlalchemy.inspect(connection).get_schema_names()))

    def _tables(self, endpoint: Endpoint, files: Files, query: TableQuery) -> TablePage:
        default = self.default_schema(endpoint)
        with self.connect(endpoint) as connection:
            names = [query.schema or default]
            return cut(list_tables(connection, names, default), query)

    def _columns(self, endpoint: Endpoint, files: Files, source: str) -> tuple[Any, ...]:
        with self.connect(endpoint) as connection:
            schema, name = locate(connection, source, self.default_schema(endpoint))
            return describe(connection, schema, name, self)


def require_driver(module: str, extra: str | None) -> None:
    """Checks that a driver is installed.

    Raises:
        InvalidConfig: it is not; the hint is the command that installs it.
    """
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # of a package above it
        found = None
    if found is None:
        raise InvalidConfig(
            f"the driver '{module}' is not installed",
            hint=f"the operator can install it: pip install 'etlfabric[{extra}]'",
        )


def failed(what: str, error: DBAPIError, lost: tuple[str | int, ...] = LOST) -> FabricError:
    """A failure of a query without the driver's words, which can repeat values."""
    code = next(iter(getattr(error.orig, "args", ())), None)
    name = type(error.orig).__name__
    told = f"{name} {code}" if isinstance(code, int) else name
    if error.connection_invalidated or name in lost or code in lost:
        return TransientError(
            f"{what}: reading broke off ({told})",
            hint="check that the source is up; the next try begins anew",
        )
    return TerminalError(
        f"{what}: the source refused to read it ({told})",
        hint="check that the user of the connection may read the table and all of its columns",
    )


def close(connection: Connection) -> None:
    """Ends a session at once; rows that are still on their way are not waited for."""
    connection.invalidate()
    connection.close()
    connection.engine.dispose()


def list_tables(
    connection: Connection, schemas: list[str], default: str
) -> Iterator[DiscoveredTable]:
    """Tables and views of some schemas; outside the default one their source is `schema.table`."""
    inspector = sqlalchemy.inspect(connection)
    for schema in schemas:
        views = set(inspector.get_view_names(schema))
        for name in {*inspector.get_table_names(schema), *views}:
            kind = TableKind.VIEW if name in views else TableKind.TABLE
            source = name if schema == default else f"{schema}.{name}"
            yield DiscoveredTable(schema, name, source, kind)


def locate(connection: Connection, source: str, default: str) -> tuple[str, str]:
    """Schema and name of the table that a resource's `source` names.

    Raises:
        TerminalError: there is none that the user of the connection may read.
    """
    inspector = sqlalchemy.inspect(connection)
    schema, dot, name = source.partition(".")
    for place in ((default, source), (schema, name)) if dot else ((default, source),):
        known = {*inspector.get_table_names(place[0]), *inspector.get_view_names(place[0])}
        if place[1] in known:
            return place
    raise no_table(source)


def no_table(source: str) -> TerminalError:
    """The error for a table that is not there, or that the user may not see."""
    return TerminalError(
        f"there is no table '{source}' that the user of the connection may read",
        hint="list the tables again; one of another schema is written schema.table",
    )


def describe(
    connection: Connection, schema: str, name: str, system: SqlSystem
) -> tuple[DiscoveredColumn, ...]:
    """The columns of a table, their types as the system itself writes them, in small letters."""
    inspector = sqlalchemy.inspect(connection)
    key = inspector.get_pk_constraint(name, schema).get("constrained_columns") or ()
    return tuple(
        discovered(
            entry["name"],
            _type(entry["type"], connection.dialect),
            bool(entry["nullable"]),
            entry["name"] in key,
            system.cursor_types,
        )
        for entry in inspector.get_columns(name, schema)
        if not system.nested or system.nested not in entry["name"]
    )


def _type(type_: TypeEngine[Any], dialect: Dialect) -> str:
    try:
        return type_.compile(dialect=dialect).lower()
    except CompileError:
        return "unknown"


def discovered(
    name: str, type_: str, nullable: bool, in_key: bool, cursor_types: tuple[str, ...]
) -> DiscoveredColumn:
    """A column, and why it cannot be a cursor where it cannot."""
    why_not = None
    if not type_.startswith(cursor_types):
        why_not = f"{type_} does not grow from row to row"
    elif nullable:
        why_not = "it can be empty; such rows would never be loaded"
    return DiscoveredColumn(name, type_, nullable, in_key, why_not is None, why_not)


def _words(error: Exception) -> str:
    return str(error.orig) if isinstance(error, DBAPIError) else f"{type(error).__name__}: {error}"


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
