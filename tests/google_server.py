"""A local stand-in for Google Sheets that keeps to the documented contract of its API."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from etlfabric_core.connectors import google, google_sheets
from tests.api_server import ApiServer, Asked, Route, Said, api_server

SPREADSHEET = "1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms"
KEY = rsa.generate_private_key(65537, 2048)
ACCOUNT = {
    "type": "service_account",
    "project_id": "my-project",
    "client_email": "etl@my-project.iam.gserviceaccount.com",
    "private_key": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "private_key_id": "k1",
    "token_uri": "http://169.254.169.254/steal",
}
PEOPLE = [
    ["id", "name", "born", "active", "amount"],
    [1, "Zoë 🎉", "2001-05-31", True, 0.1],
    [2, "", "", False, 12345678901],
    [],
    ["", ""],
    [3, "line\nbreak, 'q'"],
]


@dataclass
class Google:
    """The API and its tokens: sheets by title, and what was asked for tokens.

    `codes` are worth a consent once, each to its scopes.
    """

    server: ApiServer
    sheets: dict[str, list[list[Any]]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    lifetime: int = 3600
    codes: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Route | None:
        """What answers at a path."""
        base = f"/v4/spreadsheets/{SPREADSHEET}"
        if path == "/token":
            return self._token
        if path == base:
            return self._signed(lambda asked: Said({"sheets": self._properties()}))
        if path.startswith(f"{base}/values/"):
            return self._signed(self._values)
        return self._signed(lambda asked: Said({"error": {"code": 404}}, 404))

    def _token(self, asked: Asked) -> Said:
        self.asked.append({name: values[0] for name, values in parse_qs(asked.body).items()})
        if self.asked[-1].get("refresh_token") == "revoked":
            return Said({"error": "invalid_grant"}, 400)
        token = f"ya29.{len(self.asked)}"
        said = {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer"}
        if code := self.asked[-1].get("code"):
            if code not in self.codes:
                return Said({"error": "invalid_grant"}, 400)
            said |= {"refresh_token": "1//given", "scope": self.codes.pop(code)}
        return Said(said)

    def _signed(self, route: Route) -> Route:
        def checked(asked: Asked) -> Said:
            if asked.headers.get("Authorization") != f"Bearer ya29.{len(self.asked)}":
                return Said({"error": {"code": 401}}, 401)
            return route(asked)

        return checked

    def _properties(self) -> list[dict[str, Any]]:
        grids = [
            {
                "title": title,
                "sheetType": "GRID",
                "gridProperties": {"rowCount": len(rows) + 995, "columnCount": 26},
            }
            for title, rows in self.sheets.items()
        ]
        chart = {"title": "Chart", "sheetType": "OBJECT"}
        return [{"properties": one} for one in (*grids, chart)]

    def _values(self, asked: Asked) -> Said:
        assert asked.query["valueRenderOption"] == "UNFORMATTED_VALUE"
        found = re.fullmatch(r"'(.*)'!(\d+):(\d+)", unquote(asked.path.rpartition("/")[2]))
        assert found
        rows = self.sheets[found[1].replace("''", "'")][int(found[2]) - 1 : int(found[3])]
        while rows and not rows[-1]:  # Google leaves out what is empty at the end
            rows = rows[:-1]
        return Said({"range": "r", "majorDimension": "ROWS", **({"values": rows} if rows else {})})


@contextmanager
def google_server(patch: pytest.MonkeyPatch) -> Iterator[Google]:
    """Google as this process sees it."""
    with api_server() as server:
        made = Google(server, {"People": PEOPLE})
        server.routes = made  # type: ignore[assignment] - it answers by more than equal paths
        patch.setattr(google_sheets, "API", server.url)
        patch.setattr(google, "TOKEN_URI", f"{server.url}/token")
        yield made
