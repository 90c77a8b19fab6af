"""The service starts with good secrets only, and names everything that is wrong at once."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from etlfabric_core.settings import Settings

ROOT = Path(__file__).parents[2]
TOKENS = ("internal_token", "jwt_secret", "audit_keys")
URL = "postgresql://somebody:{}@127.0.0.1/db"


def good() -> dict[str, str]:
    names = ("airflow_password", "internal_token", "audit_keys", "jwt_secret")
    urls = ("database_url", "migration_database_url", "warehouse_url")
    return (
        {name: secrets.token_urlsafe(36) for name in names}
        | {name: URL.format(secrets.token_urlsafe(12)) for name in urls}
        | {"encryption_keys": Fernet.generate_key().decode(), "storage_url": "memory://"}
    )


def problems(**changed: str) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=None, **(good() | changed))
    told = [name for name in (*TOKENS, "airflow_password") if name in changed]
    assert not any(changed[name] in str(refused.value) for name in told)
    return {str(item["loc"][0]): str(item["msg"]) for item in refused.value.errors()}


def test_saml_needs_all_of_its_settings() -> None:
    assert "saml_sign_on_url" in problems(saml_issuer="urn:idp")["saml_certificate"]
    half = {"saml_issuer": "urn:idp", "saml_sign_on_url": "https://idp.example/sso"}
    assert "saml_certificate" in problems(**half)
    assert "saml_certificate" in problems(**half, saml_certificate="no certificate")


def test_good_settings_keep_their_secrets_to_themselves() -> None:
    given = good()
    settings = Settings(_env_file=None, **given)
    assert settings.key_ring().newest()
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        for name, value in given.items():
            assert value not in shown or name == "storage_url", name


@pytest.mark.feature("A20")
@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("short-but-random-8fj2", "fewer than 32"),
        ("changeme", "example"),
        ("please-CHANGEME-please-0123456789-abcdef", "example"),
        ("a" * 64, "over and over"),
        ("unused" * 8, "over and over"),
        ("abcabcabdabcabcabdabcabcabeabcabcabc", "guess"),
    ],
)
def test_a_token_must_be_random(name: str, value: str, problem: str) -> None:
    found = problems(**{name: value})
    assert list(found) == [name]
    assert problem in found[name]


@pytest.mark.feature("A20")
@pytest.mark.parametrize("value", ["postgres", "Password", "changeme", "short", "xxxxxxxxxxxx"])
def test_a_password_must_not_be_a_known_one(value: str) -> None:
    assert "airflow_password" in problems(airflow_password=value)
    for name in ("database_url", "migration_database_url", "warehouse_url"):
        assert "its password" in problems(**{name: URL.format(value)})[name]


@pytest.mark.feature("A20")
def test_one_secret_is_not_used_for_two_things() -> None:
    token = secrets.token_urlsafe(36)
    found = problems(internal_token=token, jwt_secret=token)
    assert found == {
        "jwt_secret": "Value error, is the same secret as internal_token: each needs its own"
    }


@pytest.mark.feature("A16", "A20")
def test_encryption_keys_come_from_one_place(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(good()["encryption_keys"])
    name = "encryption_keys_file"
    assert "not both" in problems(encryption_keys_file=str(file))[name]
    assert "not both" in problems(encryption_keys="")[name]
    assert "no encryption key" in problems(encryption_keys=" , ")[name]
    assert "32 random bytes" in problems(encryption_keys="x" * 44)[name]
    missing = problems(encryption_keys="", encryption_keys_file=str(tmp_path / "gone"))
    assert "gone" in missing[name] or "No such file" in missing[name]
    settings = Settings(
        _env_file=None, **(good() | {"encryption_keys": "", "encryption_keys_file": str(file)})
    )
    assert settings.key_ring().newest()


@pytest.mark.feature("A20")
def test_the_server_refuses_to_start_and_names_everything(tmp_path: Path) -> None:
    given = {f"ETLFABRIC_{name.upper()}": value for name, value in good().items()}
    given |= {
        "ETLFABRIC_JWT_SECRET": "changeme",
        "ETLFABRIC_INTERNAL_TOKEN": "z" * 40,
        "ETLFABRIC_AIRFLOW_PASSWORD": "",
    }
    server = [sys.executable, "-m", "uvicorn", "--factory", "api.main:build", "--port", "0"]
    done = subprocess.run(
        server,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | given,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert lines[-4:] == [
        "ETL Fabric does not start with these settings:",
        "  ETLFABRIC_AIRFLOW_PASSWORD: Field required",
        "  ETLFABRIC_INTERNAL_TOKEN: is the same few characters over and over",
        "  ETLFABRIC_JWT_SECRET: is a value from an example, which everybody knows",
    ]


@pytest.mark.feature("A20")
def test_the_example_file_sets_no_secret_and_names_every_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in os.environ if name.startswith("ETLFABRIC_")]:
        monkeypatch.delenv(name)
    example = ROOT / ".env.example"
    with pytest.raises(ValidationError) as refused:
        Settings(_env_file=example)
    required = {name for name, field in Settings.model_fields.items() if field.is_required()}
    found = {str(item["loc"][0]) for item in refused.value.errors()}
    assert found == required | {"encryption_keys_file"}
    named = {line.partition("=")[0].lstrip("# ") for line in example.read_text().splitlines()}
    assert {f"ETLFABRIC_{name.upper()}" for name in Settings.model_fields} <= named
