"""Entry point of the server: `uvicorn --factory api.main:build`."""

from fastapi import FastAPI
from pydantic import ValidationError

from api.app import create_app
from etlfabric_core.settings import Settings


def build() -> FastAPI:
    """The application with the settings of the environment.

    Raises:
        SystemExit: settings are missing or wrong; it names all of them.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise SystemExit(_explained(error)) from None
    return create_app(settings)


def _explained(error: ValidationError) -> str:
    lines = ["ETL Fabric does not start with these settings:"]
    for item in error.errors():
        setting = "_".join(map(str, item["loc"])).upper()
        lines.append(f"  ETLFABRIC_{setting}: {item['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
