"""Where the stack keeps its things, and what it says when a setting is wrong."""

import json
import stat
from pathlib import Path

import pytest

from cli.stack import credentials
from cli.stack.layout import KEYS_FILE, PROJECT, Layout
from etlfabric_core.errors import InvalidConfig


def test_settings_move_everything(tmp_path):
    layout = Layout.from_environment(
        {"ETLFABRIC_VAR": str(tmp_path / "a b"), "ETLFABRIC_API_PORT": "9000"}
    )
    assert layout.secrets_file == tmp_path / "a b" / "secrets.json"
    assert layout.api_url == "http://127.0.0.1:9000"


def test_an_empty_setting_is_the_default():
    assert Layout.from_environment({"ETLFABRIC_VAR": ""}).var == PROJECT / "var"


@pytest.mark.parametrize("value", ["eighty", "0", "-1", "65536", "8000.5"])
def test_a_wrong_port_names_its_setting(value):
    with pytest.raises(InvalidConfig, match=f"ETLFABRIC_AIRFLOW_PORT={value}"):
        Layout.from_environment({"ETLFABRIC_AIRFLOW_PORT": value})


def test_an_unusable_folder_is_named_with_the_setting(tmp_path):
    (tmp_path / "file").write_text("")
    layout = Layout.from_environment({"ETLFABRIC_VAR": str(tmp_path / "file" / "var")})
    with pytest.raises(InvalidConfig, match="cannot be used") as caught:
        layout.make_directories()
    assert "ETLFABRIC_VAR" in caught.value.hint


def test_only_the_owner_may_look_into_the_folders(tmp_path):
    layout = Layout.from_environment({"ETLFABRIC_VAR": str(tmp_path / "var")})
    layout.make_directories()
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o700 for path in (layout.var, layout.run))


@pytest.mark.feature("A20")
def test_secrets_are_made_once_and_only_for_the_owner(tmp_path):
    file = tmp_path / "secrets.json"
    first = credentials.ensure(file)
    keys = tmp_path / KEYS_FILE
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, keys)} == {0o600}
    assert credentials.ensure(file) == first == credentials.read(file)
    assert len(set(first.values())) == len(first)
    assert first != credentials.ensure(tmp_path / "other.json")


def test_a_secret_of_a_later_version_is_added_and_the_others_stay(tmp_path):
    file = tmp_path / "secrets.json"
    first = credentials.ensure(file)
    file.write_text(json.dumps({name: first[name] for name in first if name != "jwt_secret"}))
    second = credentials.ensure(file)
    assert second["jwt_secret"] != first["jwt_secret"]
    assert second["audit_keys"] == first["audit_keys"]


def test_encryption_keys_of_an_older_stack_move_into_their_file(tmp_path):
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps({"encryption_keys": "newer,older", "jwt_secret": "kept"}))
    assert credentials.ensure(file)["jwt_secret"] == "kept"
    assert (tmp_path / KEYS_FILE).read_text() == "newer\nolder\n"
    assert "encryption_keys" not in credentials.read(file)


def test_lost_encryption_keys_are_not_made_anew(tmp_path):
    file = tmp_path / "secrets.json"
    credentials.ensure(file)
    (tmp_path / KEYS_FILE).unlink()
    with pytest.raises(InvalidConfig, match=KEYS_FILE) as refused:
        credentials.ensure(file)
    assert "backup" in str(refused.value.hint)


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_broken_secrets_file_is_never_replaced(tmp_path, content):
    file: Path = tmp_path / "secrets.json"
    file.write_text(content)
    with pytest.raises(InvalidConfig, match=r"secrets\.json"):
        credentials.ensure(file)
    assert file.read_text() == content
