"""Documents that drift fail here."""

import re
from pathlib import Path

import pytest

from docs.generate import CONNECTOR_TABLE, REFERENCE, connector_table, reference
from etlfabric_core.settings import Settings
from tests.feature_report import promises

ROOT = Path(__file__).resolve().parent.parent


def test_the_reference_is_what_the_registries_say() -> None:
    assert REFERENCE.read_text() == reference(), "run `make docs`"


@pytest.mark.feature("B11")
def test_the_table_of_connectors_is_what_the_registry_says() -> None:
    assert CONNECTOR_TABLE.read_text() == connector_table(), "run `make docs`"


@pytest.mark.feature("K1")
def test_every_setting_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    missing = [n for n in Settings.model_fields if f"\nETLFABRIC_{n.upper()}=" not in example]
    assert not missing


@pytest.mark.feature("K3")
def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", "docs/features.md"):
        named = re.findall(r"`make ([a-z -]+?)`", (ROOT / name).read_text())
        assert {target for words in named for target in words.split()} <= targets, name


def test_every_decision_is_in_their_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    pages = [page.name for page in sorted(folder.glob("0*.md"))]
    assert pages
    assert not [page for page in pages if f"({page})" not in listed]


def test_every_threat_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/[^`]+)`", page)
    assert named
    assert not [path for path in named if not (ROOT / path).is_file()]
    threats = re.findall(r"^\| T\d+ \|.*", page, re.MULTILINE)
    assert threats
    assert not [row for row in threats if "`tests/" not in row.split("|")[-2]]


def test_features_have_unique_ids() -> None:
    ids = re.findall(
        r"^\| ([A-Z]\d+) \|", (ROOT / "docs" / "features.md").read_text(), re.MULTILINE
    )
    assert len(ids) == len(set(ids)) == len(promises())
