"""Prints the metadata service's OpenAPI document; needs no database and no real setting."""

import json
import secrets
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
    airflow_password=secrets.token_hex(),
    internal_token=secrets.token_hex(),
    encryption_keys=Fernet.generate_key().decode(),
    audit_keys=secrets.token_hex(),
    jwt_secret=secrets.token_hex(),
    storage_url="memory://",
)
json.dump(create_app(settings).openapi(), sys.stdout, indent=1, sort_keys=True)
sys.stdout.write("\n")
