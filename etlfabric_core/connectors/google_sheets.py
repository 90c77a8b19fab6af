"""Google Sheets: the sheets of a spreadsheet as tables, read with the rights of who signs in."""

from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from etlfabric_core.connectors import google
from etlfabric_core.connectors.browse import whole_list
from etlfabric_core.connectors.files import tested
from etlfabric_core.connectors.record import (
    Connector,
    ConnectorModel,
    Consent,
    Direction,
    DiscoveredColumn,
    DiscoveredTable,
    Files,
    Grant,
    Proof,
    TableKind,
    TestResult,
)
from etlfabric_core.extract_load.plan import Endpoint
from etlfabric_core.outbound import Origin

API = "https://sheets.googleapis.com"


class GoogleSheetsConfig(ConnectorModel):
    """Which spreadsheet, and how to sign in."""

    spreadsheet: str = Field(
        pattern=r"^[A-Za-z0-9_-]{20,100}$",
        description="Its id: the long part of its address, between /d/ and the next slash.",
    )
    auth: Literal["service_account", "oauth2"] = Field(
        "service_account",
        description="A key of a service account that the spreadsheet is shared with, or a client "
        "with the consent of a person.",
    )
    client_id: str = Field("", max_length=255, description="For oauth2.")
    header_row: int = Field(
        1, ge=1, le=1000, description="Number of the row with the names of the columns."
    )

    @model_validator(mode="after")
    def _has_what_its_auth_needs(self) -> Self:
        if self.auth == "oauth2" and not self.client_id:
            raise ValueError("oauth2 needs a client_id")
        return self


class GoogleSheetsSecrets(ConnectorModel):
    """What signs in: the one that the auth kind needs."""

    service_account_key: SecretStr = Field(
        SecretStr(""), description="The JSON key of a service account, as Google gave it."
    )
    client_secret: SecretStr = Field(SecretStr(""), description="For oauth2.")
    refresh_token: SecretStr = Field(
        SecretStr(""),
        description="For oauth2: comes with the consent; leave it empty, save, then sign in with "
        "Google.",
    )


def hosts_of(config: Any) -> tuple[str, ...]:
    """Google's own: that of the sheets, and that of the tokens."""
    return tuple(dict.fromkeys(Origin.of(url).host for url in (API, google.TOKEN_URI)))


def test(endpoint: Endpoint, files: Files) -> TestResult:
    """Signs in and asks for the names of the sheets. A refusal is an answer."""
    from etlfabric_core.extract_load.sources import google_sheets

    return tested(lambda: google_sheets.answered(endpoint))


def redeem(endpoint: Endpoint, grant: Grant) -> dict[str, str]:
    """The secret for a person's consent.

    Raises:
        InvalidConfig, TerminalError, TransientError: Google refuses, or does not answer.
    """
    from etlfabric_core.extract_load.sources import google_sheets

    return {"refresh_token": google_sheets.redeemed(endpoint, grant)}


def list_tables(endpoint: Endpoint, files: Files) -> list[DiscoveredTable]:
    """One table per sheet.

    Raises:
        InvalidConfig, TerminalError, TransientError: Google refuses, or does not answer.
    """
    from etlfabric_core.extract_load.sources import google_sheets

    return [
        DiscoveredTable("", sheet.title, sheet.title, TableKind.TABLE, max(0, sheet.rows))
        for sheet in google_sheets.listed(endpoint)
    ]


def list_columns(endpoint: Endpoint, files: Files, table: str) -> tuple[DiscoveredColumn, ...]:
    """The columns of one sheet. Sheets have no types: every column is text until typed.

    Raises:
        InvalidConfig, TerminalError, TransientError: there is no such sheet, or as `list_tables`.
    """
    from etlfabric_core.extract_load.sources import google_sheets

    why_not = "its values have no type; give it one in the pipeline"
    return tuple(
        DiscoveredColumn(name, "text", why_not=why_not)
        for name in google_sheets.described(endpoint, table)
    )


GOOGLE_SHEETS = Connector(
    name="google_sheets",
    label="Google Sheets",
    description="The sheets of a spreadsheet.",
    directions=frozenset({Direction.SOURCE}),
    config=GoogleSheetsConfig,
    secrets=GoogleSheetsSecrets,
    test=test,
    browse=whole_list(list_tables, list_columns),
    endpoint_fields=("spreadsheet",),
    hosts_of=hosts_of,
    consent=Consent(
        provider="Google",
        authorize_url=google.AUTHORIZE_URI,
        scope=google.SHEETS_SCOPE,
        is_used=lambda config: config.get("auth") == "oauth2",
        redeem=redeem,
        # A token that lasts, also for somebody who has consented before.
        parameters={"access_type": "offline", "prompt": "consent"},
    ),
    proof=Proof.CONTRACT,
)
