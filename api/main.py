"""Entry point of the server: `uvicorn --factory api.main:build`."""

from fastapi import FastAPI

from api.app import create_app
from etlfabric_core.settings import Settings


def build() -> FastAPI:
    """The application with the settings of the environment.

    Raises:
        pydantic.ValidationError: a setting is missing or wrong; it says which.
    """
    return create_app(Settings())
