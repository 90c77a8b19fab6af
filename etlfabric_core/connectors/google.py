"""Google's keys of service accounts: of them only the parts that prove who calls are used."""

import json

from pydantic import SecretStr

from etlfabric_core.errors import InvalidConfig

AUTHORIZE_URI = "https://accounts.google.com/o/oauth2/v2/auth"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
SHEETS_SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"
USED = ("client_email", "private_key", "private_key_id", "project_id")


def key_info(key: SecretStr) -> dict[str, str]:
    """What is used of the JSON key of a service account: none of its addresses.

    Raises:
        InvalidConfig: it is not the key of a service account.
    """
    try:
        given = json.loads(key.get_secret_value())
        used = {name: str(given[name]) for name in USED}
        if given.get("type") != "service_account":
            raise ValueError("other kinds of keys name files and hosts to ask")
    except (ValueError, KeyError, TypeError):
        raise InvalidConfig(
            "service_account_key: this is no key of a service account",
            hint="paste the whole JSON file that Google Cloud gave when the key was made",
        ) from None
    return {**used, "type": "service_account", "token_uri": TOKEN_URI}
