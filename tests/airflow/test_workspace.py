"""A task's folder and the cache of files: nothing of an older try, nothing outside of them."""

import pytest
from etlfabric_airflow import workspace
from etlfabric_airflow.service import Service
from metadata_stand_in import MetadataStandIn
from task_run import RUN

from etlfabric_core.errors import TransientError


def test_what_an_older_try_left_is_removed(service: MetadataStandIn) -> None:
    with workspace.work_dir(RUN, "t") as path:
        (path / "left").write_text("over")
        (path.parent / "0").mkdir()
        with workspace.work_dir(RUN.model_copy(update={"try_number": 2}), "t") as second:
            assert [child.name for child in second.parent.iterdir()] == ["2"]


@pytest.mark.parametrize("run_id", ["..", ".", "a/../../b", "../../etc", "manual__2024:+~"])
def test_a_run_id_cannot_climb_out(service: MetadataStandIn, run_id: str) -> None:
    with workspace.work_dir(RUN.model_copy(update={"run_id": run_id}), "t") as path:
        assert path.resolve().relative_to(workspace.root().resolve()).parts[0] == "acme.daily"
        assert len(path.relative_to(workspace.root()).parts) == 4


def test_files_are_cached_by_content_and_verified(service: MetadataStandIn) -> None:
    sha256 = service.store(b"a,b\n1,2\n")
    client = Service.from_environment()
    for _ in range(2):
        path = workspace.cached(client, f"/blobs/{sha256}", sha256, "acme.daily")
        assert path.read_bytes() == b"a,b\n1,2\n"
    assert service.bodies("blobs") == [{"dag_id": "acme.daily"}]
    service.blobs["f" * 64] = b"other"
    with pytest.raises(TransientError, match="other bytes"):
        workspace.cached(client, f"/blobs/{'f' * 64}", "f" * 64, "acme.daily")
    assert [path.name for path in (workspace.root() / "cache").iterdir()] == [sha256]
