"""Reads Google Sheets block by block, every cell as text.

Numbers arrive with all their digits and without their format, dates as the sheet shows them. Empty
cells are null, rows without any value are left out. Blocks are read one after the other, so a sheet
that is edited meanwhile is read as it is at each of these moments.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from requests import Session

from etlfabric_core.connectors import google
from etlfabric_core.connectors import google_sheets as connector
from etlfabric_core.connectors.google_sheets import GoogleSheetsConfig, GoogleSheetsSecrets
from etlfabric_core.connectors.headers import check_names
from etlfabric_core.connectors.record import Files, Grant, parse
from etlfabric_core.errors import TerminalError
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.extract_load.shape.selection import selected
from etlfabric_core.extract_load.source_table import (
    POSITION,
    Selection,
    SourceColumn,
    SourceTable,
    arrow_schema,
)
from etlfabric_core.extract_load.sources import google_tokens
from etlfabric_core.extract_load.sources.google_tokens import GoogleToken, request_of
from etlfabric_core.extract_load.sources.rest_session import WAITS, patient_session, require_good
from etlfabric_core.graph.configs import PipelineConfig
from etlfabric_core.graph.resources import ResourceConfig
from etlfabric_core.outbound import Origin

if TYPE_CHECKING:
    import pyarrow

BLOCK_CELLS = 100_000  # of one answer
FIELDS = "sheets.properties(title,sheetType,gridProperties(rowCount,columnCount))"
AS_THEY_ARE = {
    "majorDimension": "ROWS",
    "valueRenderOption": "UNFORMATTED_VALUE",
    "dateTimeRenderOption": "FORMATTED_STRING",
}


@dataclass(frozen=True)
class Sheet:
    """A sheet and how large its grid is."""

    title: str
    rows: int
    columns: int


@contextmanager
def open_reader(
    endpoint: Endpoint, files: Files, config: PipelineConfig
) -> "Iterator[SheetsReader]":
    """The spreadsheet of the connection.

    Raises:
        InvalidConfig: the connection's config or secret is wrong.
    """
    with _opened(endpoint, WAITS) as reader:
        yield reader


@contextmanager
def _opened(endpoint: Endpoint, waits: tuple[float, ...]) -> "Iterator[SheetsReader]":
    config = parse(GoogleSheetsConfig, endpoint.config)
    request = request_of(config, parse(GoogleSheetsSecrets, endpoint.secrets))
    with (
        closing(_session(endpoint, connector.API, waits)) as session,
        closing(_session(endpoint, google.TOKEN_URI, waits)) as tokens,
    ):
        session.auth = GoogleToken(tokens, request)
        session.hooks["response"] = [require_good]
        yield SheetsReader(session, config)


def _session(endpoint: Endpoint, url: str, waits: tuple[float, ...]) -> Session:
    origin = Origin.of(url)
    addresses = endpoint.others.get(origin.host, endpoint.addresses)
    return patient_session(origin, addresses, waits)


@dataclass(frozen=True)
class SheetsReader:
    """An open spreadsheet."""

    session: Session
    config: GoogleSheetsConfig

    def sheets(self) -> list[Sheet]:
        """Those that have cells, not charts alone.

        Raises:
            TerminalError, TransientError: Google refuses, or does not answer.
        """
        said = self._get("", {"fields": FIELDS})
        found = [entry["properties"] for entry in said.get("sheets", ())]
        return [
            Sheet(one["title"], grid.get("rowCount", 0), grid.get("columnCount", 0))
            for one in found
            if (grid := one.get("gridProperties")) and one.get("sheetType", "GRID") == "GRID"
        ]

    def names(self) -> list[str]:
        """All sheets, in their order."""
        return [sheet.title for sheet in self.sheets()]

    def table(self, resource: ResourceConfig) -> SourceTable:
        """The sheet a resource reads.

        Raises:
            TerminalError: there is none of that name, or a column has no name of its own.
        """
        sheet = self.sheet(resource.source or resource.name)
        names = self.header(sheet)
        texts = tuple(SourceColumn(name, "string", "text", is_time=True) for name in names)

        def read(selection: Selection) -> "Iterator[pyarrow.Table]":
            batches = self._batches(sheet, texts)
            return selected(batches, texts, selection, resource.given_types)

        def places(positions: Sequence[int]) -> list[tuple[str, int]]:
            return [(sheet.title, position) for position in positions]

        return SourceTable(sheet.title, texts, read, places=places)

    def sheet(self, title: str) -> Sheet:
        """The sheet of that title.

        Raises:
            TerminalError: there is none.
        """
        found = {sheet.title: sheet for sheet in self.sheets()}
        if title not in found:
            raise TerminalError(
                f"there is no sheet '{title}' in the spreadsheet",
                hint=f"its sheets are: {', '.join(found)}",
            )
        return found[title]

    def header(self, sheet: Sheet) -> list[str]:
        """The names of the columns.

        Raises:
            TerminalError: the row is empty, a column has no name, or two have the same.
        """
        number = self.config.header_row
        rows = self._values(sheet, number, number) if number <= sheet.rows else []
        names = [_text(cell) or "" for cell in rows[0]] if rows else []
        where = f"sheet '{sheet.title}', row {number}"
        if not names:
            raise TerminalError(f"{where}: no names of columns", hint="set header_row")
        check_names(names, where)
        return names

    def _batches(
        self, sheet: Sheet, columns: tuple[SourceColumn, ...]
    ) -> "Iterator[pyarrow.Table]":
        """All rows with a value, with their numbers in the sheet."""
        import pyarrow as pa

        schema = arrow_schema(columns).append(pa.field(POSITION, pa.int64()))
        size = max(1, BLOCK_CELLS // max(1, sheet.columns))
        for first in range(self.config.header_row + 1, sheet.rows + 1, size):
            found = self._values(sheet, first, min(first + size - 1, sheet.rows))
            rows = [
                (*_row(sheet.title, first + place, cells, len(columns)), first + place)
                for place, cells in enumerate(found)
                if any(cell not in ("", None) for cell in cells)
            ]
            if rows:
                arrays = zip(*rows, strict=True)
                made = [pa.array(a, f.type) for a, f in zip(arrays, schema, strict=True)]
                yield pa.Table.from_arrays(made, schema=schema)

    def _values(self, sheet: Sheet, first: int, last: int) -> list[list[Any]]:
        title = sheet.title.replace("'", "''")
        place = quote(f"'{title}'!{first}:{last}", safe="")
        found: list[list[Any]] = self._get(f"/values/{place}", AS_THEY_ARE).get("values", [])
        return found

    def _get(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        url = f"{connector.API}/v4/spreadsheets/{self.config.spreadsheet}{path}"
        try:
            said = self.session.get(url, params=params).json()
        except TerminalError as error:
            raise TerminalError(
                error.message,
                hint="check the id, and share the spreadsheet with who signs in, as a viewer",
            ) from None
        return said if isinstance(said, dict) else {}


def answered(endpoint: Endpoint) -> str:
    """What Google says when it is asked for the sheets.

    Raises:
        InvalidConfig, TerminalError, TransientError: it refuses, or does not answer.
    """
    return f"the spreadsheet has {len(listed(endpoint))} sheets"


def listed(endpoint: Endpoint) -> list[Sheet]:
    """The sheets of the connection's spreadsheet.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `answered`.
    """
    with _opened(endpoint, ()) as reader:
        return reader.sheets()


def redeemed(endpoint: Endpoint, grant: Grant) -> str:
    """The refresh token for a person's consent.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `google_tokens.redeem`.
    """
    config = parse(GoogleSheetsConfig, endpoint.config)
    secrets = parse(GoogleSheetsSecrets, endpoint.secrets)
    with closing(_session(endpoint, google.TOKEN_URI, ())) as session:
        return google_tokens.redeem(session, config, secrets, grant)


def described(endpoint: Endpoint, title: str) -> list[str]:
    """The names of the columns of a sheet.

    Raises:
        InvalidConfig, TerminalError, TransientError: as `answered`, or as `SheetsReader.header`.
    """
    with _opened(endpoint, ()) as reader:
        return reader.header(reader.sheet(title))


def _row(title: str, number: int, cells: list[Any], width: int) -> list[str | None]:
    texts = [_text(cell) for cell in cells]
    if any(text is not None for text in texts[width:]):
        raise TerminalError(
            f"sheet '{title}', row {number}: a value beside the last column",
            hint="give its column a name, or take the value away",
        )
    return [*texts[:width], *[None] * (width - len(texts))]


def _text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    return format(cell, "f") if isinstance(cell, Decimal) else str(cell)
