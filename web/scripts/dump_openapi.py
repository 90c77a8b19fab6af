"""Prints the metadata service's OpenAPI document; needs no database and no real setting."""

import json
import sys

from cryptography.fernet import Fernet

from api.app import create_app
from etlfabric_core.settings import Settings

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"

settings = Settings(
    _env_file=None,
    database_url=NOWHERE,
    migration_database_url=NOWHERE,
    warehouse_url=NOWHERE,
    airflow_password="unused",
    internal_token="unused" * 8,
    encryption_keys=Fernet.generate_key().decode(),
    jwt_secret="unused" * 8,
    storage_url="memory://",
)
json.dump(create_app(settings).openapi(), sys.stdout, indent=1, sort_keys=True)
sys.stdout.write("\n")
