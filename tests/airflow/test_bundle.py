"""The bundle: what the service publishes arrives, and no misbehaviour of it removes anything."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.bundles.base import BundleVersion
from etlfabric_airflow import bundle as bundle_module
from etlfabric_airflow import roles
from etlfabric_airflow.bundle import FabricBundle
from etlfabric_airflow.store import ENTRY_SOURCE
from metadata_stand_in import MetadataStandIn, slowly
from sample_project import Manifest, dag_spec, dbt_spec

from etlfabric_core.errors import FabricError, TransientError


@pytest.fixture
def bundle(
    bundles: Path, service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> FabricBundle:
    """As the dag-processor has it: two organizations published and followed. No factory leaves
    receipts here, so that only the tests of touching again ask for it.
    """
    monkeypatch.setattr(bundle_module, "RETOUCH_SECONDS", 3600.0)
    service.publish("acme", "daily", dag_spec("acme"))
    service.publish("globex", "daily", dag_spec("globex"))
    return opened()


def opened(version: str | None = None) -> FabricBundle:
    bundle = FabricBundle(name="etlfabric", refresh_interval=1, version=version)
    bundle.initialize()
    if version is None:
        bundle.refresh()
    return bundle


def contents(bundle: FabricBundle) -> dict[str, tuple[bytes, float]]:
    files = sorted(bundle.path.glob("*.py"))
    return {file.name: (file.read_bytes(), file.stat().st_mtime) for file in files}


def test_an_entry_file_per_workflow_with_the_bytes_of_the_one_factory(
    bundle: FabricBundle,
) -> None:
    assert {name: content for name, (content, _) in contents(bundle).items()} == {
        "acme.daily.py": ENTRY_SOURCE.read_bytes(),
        "globex.daily.py": ENTRY_SOURCE.read_bytes(),
    }
    assert bundle.get_current_version() == BundleVersion("2")


def test_only_the_changed_workflow_is_touched(
    bundle: FabricBundle, service: MetadataStandIn
) -> None:
    before = contents(bundle)
    service.publish("globex", "daily", dag_spec("globex", revision=2))
    bundle.refresh()
    after = contents(bundle)
    assert after["acme.daily.py"] == before["acme.daily.py"]
    assert after["globex.daily.py"][1] > before["globex.daily.py"][1]
    assert bundle.get_current_version() == BundleVersion("3")


def test_a_role_is_made_before_the_first_dag_that_names_it(
    bundle: FabricBundle, service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []

    def make(organization: str) -> None:
        seen.append((organization, bundle.store.entry_file(f"{organization}.daily").exists()))

    monkeypatch.setattr(roles, "ensure_organization", make)
    for organization in ("initech", "initech", "acme"):
        service.publish(organization, "daily", dag_spec(organization, revision=2))
    bundle.refresh()
    assert seen == [("initech", False)]
    opened()  # a process that starts makes sure of those that it finds
    assert sorted(seen[1:]) == [("acme", True), ("globex", True), ("initech", True)]


def test_without_its_role_a_dag_waits(
    bundle: FabricBundle, service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise OSError("the database is away")

    monkeypatch.setattr(roles, "ensure_organization", away)
    service.publish("initech", "daily", dag_spec("initech"))
    with pytest.raises(OSError, match="away"):
        bundle.refresh()
    assert not bundle.store.entry_file("initech.daily").exists()


def test_making_a_role_is_not_broken_off(
    bundle: FabricBundle, service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a cold process it takes longer than the limit: SQLAlchemy would stay half set up."""
    made: list[str] = []

    def slow(organization: str) -> None:
        time.sleep(3 * bundle_module.REFRESH_SECONDS)
        made.append(organization)

    monkeypatch.setattr(bundle_module, "REFRESH_SECONDS", 0.3)
    monkeypatch.setattr(roles, "ensure_organization", slow)
    for organization in ("initech", "umbrella"):
        service.publish(organization, "daily", dag_spec(organization))
    bundle.refresh()
    assert sorted(made) == ["initech", "umbrella"]
    assert bundle.store.entry_file("initech.daily").exists()
    assert bundle.store.entry_file("umbrella.daily").exists()


def test_nothing_is_written_when_nothing_changed(bundle: FabricBundle) -> None:
    for entry, seq in (("acme.daily", 1), ("globex.daily", 2)):
        bundle.store.receipt_file(entry).parent.mkdir(exist_ok=True)
        bundle.store.receipt_file(entry).write_text(json.dumps({"seen": seq, "good": seq}))
    stamps = {path: path.stat().st_mtime_ns for path in bundle.base_dir.rglob("*.*")}
    bundle.refresh()
    locks = bundle.base_dir / ".lock"
    now = {path: path.stat().st_mtime_ns for path in bundle.base_dir.rglob("*.*")}
    assert {path for path in now if now[path] != stamps.get(path)} - {locks} == set()


def test_deleting_a_workflow_takes_its_entry_away_and_no_other(
    bundle: FabricBundle, service: MetadataStandIn
) -> None:
    service.publish("acme", "daily", None)
    bundle.refresh()
    assert set(contents(bundle)) == {"globex.daily.py"}
    service.publish("acme", "daily", dag_spec("acme", revision=2))
    bundle.refresh()
    assert set(contents(bundle)) == {"acme.daily.py", "globex.daily.py"}


def test_a_long_feed_arrives_page_by_page(bundle: FabricBundle, service: MetadataStandIn) -> None:
    for number in range(450):
        service.publish("acme", f"w{number}", dag_spec("acme", f"w{number}"))
    for _ in range(20):  # each call stops at its time limit and the next one goes on
        if bundle.get_current_version() != BundleVersion("452"):
            with suppress(TransientError):
                bundle.refresh()
    assert len(contents(bundle)) == 452
    assert bundle.get_current_version() == BundleVersion("452")


# --- a service that misbehaves -------------------------------------------------------------------


def _changed(change: Callable[[dict[str, Any]], None]) -> Callable[[MetadataStandIn], None]:
    """A page that is right but for one thing."""

    def misbehave(service: MetadataStandIn) -> None:
        honest = service.answers["publications"]

        def answer(route: str, query: dict[str, Any]) -> tuple[int, bytes]:
            status, content = honest(route, query)
            page = json.loads(content)
            change(page)
            return status, json.dumps(page).encode()

        service.answers["publications"] = answer

    return misbehave


def _answers(status: int, content: bytes) -> Callable[[MetadataStandIn], None]:
    def misbehave(service: MetadataStandIn) -> None:
        service.answers["publications"] = lambda *_: (status, content)

    return misbehave


def _delete_all(page: dict[str, Any]) -> None:
    page["publications"] = [
        {"seq": 2, "org": org, "workflow": "daily", "spec": None} for org in ("acme", "globex")
    ]


MISBEHAVIOURS: dict[str, Callable[[MetadataStandIn], None]] = {
    "down": MetadataStandIn.stop,
    "slow": lambda service: service.answers.update(publications=slowly(10)),
    "500": _answers(500, b"oops"),
    "401": _answers(401, b'{"message": "who are you"}'),
    "an empty body": _answers(200, b""),
    "an HTML page": _answers(200, b"<html>proxy login</html>"),
    "an empty object": _answers(200, b"{}"),
    "a cut-off body": _changed(lambda page: page.pop("publications")),
    "another question's answer": _changed(lambda page: page.update(after=0)),
    "an empty feed": _changed(lambda page: page.update(publications=[], last_seq=0)),
    "announced, not delivered": _changed(lambda page: page.update(publications=[])),
    "a partial page": _changed(lambda page: page.update(last_seq=99)),
    "falling seqs": _changed(lambda page: page["publications"].reverse()),
    "an old deletion": _changed(_delete_all),
    "unknown fields": _changed(lambda page: page.update(surprise=1)),
    "a damaged spec": _changed(lambda page: page["publications"][0]["spec"].update(nodes=None)),
}


@pytest.mark.parametrize("misbehaviour", MISBEHAVIOURS)
def test_nothing_disappears_when_the_service_misbehaves(
    bundle: FabricBundle, service: MetadataStandIn, misbehaviour: str
) -> None:
    before = contents(bundle)
    specs = sorted(bundle.base_dir.glob("specs/*/*"))
    service.publish("acme", "daily", dag_spec("acme", revision=2))
    service.publish("globex", "daily", None)
    MISBEHAVIOURS[misbehaviour](service)
    began = time.monotonic()
    with pytest.raises(FabricError):
        bundle.refresh()
    assert time.monotonic() - began < bundle_module.REFRESH_SECONDS + 0.5
    assert contents(bundle) == before
    assert sorted(bundle.base_dir.glob("specs/*/*")) == specs
    assert bundle.get_current_version() == BundleVersion("2")


def test_it_resumes_by_itself(bundle: FabricBundle, service: MetadataStandIn) -> None:
    honest = service.answers["publications"]
    service.publish("acme", "daily", dag_spec("acme", revision=2))
    service.answers["publications"] = lambda *_: (503, b"")
    with pytest.raises(TransientError):
        bundle.refresh()
    service.answers["publications"] = honest
    bundle.refresh()
    assert bundle.get_current_version() == BundleVersion("3")


def test_a_service_that_drips_is_cut_off(
    bundle: FabricBundle, service: MetadataStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time limit per read does not stop one byte at a time."""

    def drip(request: Any, _body: dict[str, Any]) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        for _ in range(60):
            try:
                request.wfile.write(b" ")
            except OSError:
                return
            time.sleep(0.1)

    monkeypatch.setattr(service, "handle", drip)
    began = time.monotonic()
    with pytest.raises(TransientError):
        bundle.refresh()
    assert time.monotonic() - began < bundle_module.REFRESH_SECONDS + 0.5


@pytest.mark.parametrize(
    ("org", "workflow", "changes"),
    [
        ("acme", "daily", {"org": "globex"}),
        ("acme", "daily", {"dag_id": "globex.daily"}),
        ("acme", "daily", {"dag_id": "acme.other"}),
        ("../..", "daily", {}),
        ("acme", "../../globex.daily", {}),
        ("ac.me", "daily", {}),
        ("ACME", "daily", {}),
    ],
)
def test_a_publication_that_reaches_beyond_its_organization_is_refused(
    bundle: FabricBundle,
    service: MetadataStandIn,
    org: str,
    workflow: str,
    changes: dict[str, Any],
) -> None:
    before = contents(bundle)
    outside = sorted(bundle.base_dir.parent.parent.rglob("*.py"))
    service.publish(org, workflow, dag_spec(**{"org": org, "workflow": workflow, **changes}))
    service.publish("globex", "extra", dag_spec("globex", "extra"))
    bundle.refresh()
    after = contents(bundle)
    assert after.pop("globex.extra.py")
    assert after == before
    now = sorted(bundle.base_dir.parent.parent.rglob("*.py"))
    assert [path.name for path in now if path not in outside] == ["globex.extra.py"] * 2


# --- manifests ---------------------------------------------------------------------------------


def test_a_manifest_comes_with_its_spec_and_is_verified(
    bundle: FabricBundle, service: MetadataStandIn, manifest: Manifest
) -> None:
    sha256 = service.store(manifest.content)
    service.publish("acme", "daily", dag_spec("acme", dbt=dbt_spec(manifest, sha256)))
    bundle.refresh()
    assert bundle.store.manifest_file(sha256).read_bytes() == manifest.content


def test_one_missing_manifest_holds_nobody_else_up_and_is_fetched_later(
    bundle: FabricBundle,
    service: MetadataStandIn,
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle_module, "RETOUCH_SECONDS", 0.0)
    sha256 = service.store(manifest.content)
    service.blobs[sha256] = b"other bytes"
    service.publish("acme", "daily", dag_spec("acme", dbt=dbt_spec(manifest, sha256)))
    service.publish("globex", "daily", dag_spec("globex", revision=2))
    bundle.refresh()
    assert bundle.get_current_version() == BundleVersion("4")
    assert not bundle.store.manifest_file(sha256).exists()
    service.blobs[sha256] = manifest.content
    bundle.refresh()
    assert bundle.store.manifest_file(sha256).exists()


# --- the lost-update window ----------------------------------------------------------------------


def test_an_edit_that_airflow_missed_is_touched_again_until_it_was_parsed(
    bundle: FabricBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module, "RETOUCH_SECONDS", 0.0)
    stamp = contents(bundle)["acme.daily.py"][1]
    bundle.refresh()
    again = contents(bundle)["acme.daily.py"][1]
    assert again > stamp
    bundle.store.receipt_file("acme.daily").parent.mkdir(exist_ok=True)
    bundle.store.receipt_file("acme.daily").write_text('{"seen": 1, "good": 1}')
    bundle.refresh()
    assert contents(bundle)["acme.daily.py"][1] == again


def test_a_restarted_dag_processor_touches_what_was_never_parsed(
    bundle: FabricBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module, "RETOUCH_SECONDS", 0.0)
    stamp = contents(bundle)["acme.daily.py"][1]
    assert contents(opened())["acme.daily.py"][1] > stamp


# --- workers -----------------------------------------------------------------------------------


def test_a_worker_without_the_feed_asks_for_the_one_spec_it_needs(
    bundles: Path,
    service: MetadataStandIn,
    manifest: Manifest,
    on_worker: Callable[[str], None],
) -> None:
    sha256 = service.store(manifest.content)
    service.publish("acme", "daily", dag_spec("acme", dbt=dbt_spec(manifest, sha256)))
    service.publish("globex", "daily", dag_spec("globex"))
    service.publish("acme", "daily", dag_spec("acme", revision=2))
    on_worker("acme.daily.part")
    worker = opened(version="2")
    opened(version="2")
    assert (worker.path / "acme.daily.py").exists()
    [(_, path)] = worker.store.candidates("acme.daily", 2)
    assert json.loads(path.read_text())["revision"] == 1
    assert worker.store.manifest_file(sha256).exists()
    assert [route for route, _ in service.asked] == ["specs/acme/daily", f"blobs/{sha256}"]
    assert not (bundles / "etlfabric" / "specs" / "globex.daily").exists()


def test_a_task_on_the_dag_processors_machine_asks_for_nothing(
    bundle: FabricBundle, service: MetadataStandIn, on_worker: Callable[[str], None]
) -> None:
    service.asked.clear()
    on_worker("acme.daily")
    opened(version="2")
    assert service.asked == []
