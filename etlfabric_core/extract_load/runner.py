"""Runs one load: from a plan to rows at the destination, and the evidence that they arrived."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etlfabric_core.errors import FabricError, TerminalError
from etlfabric_core.extract_load.destinations import Destination, open_destination
from etlfabric_core.extract_load.isolation import isolated
from etlfabric_core.extract_load.lease import LeaseKeeper
from etlfabric_core.extract_load.plan import FoundChanges, LoadPlan, LoadResult

if TYPE_CHECKING:
    import dlt

    from etlfabric_core.extract_load.planned_table import PlannedTable
    from etlfabric_core.extract_load.planning import Place
    from etlfabric_core.extract_load.progress import ProgressMeter


def run_load(
    plan: LoadPlan,
    *,
    work_dir: Path,
    files: Mapping[str, Path],
    lease: LeaseKeeper,
    progress: Callable[[str, dict[str, int]], None],
    announce: Callable[[FoundChanges], None] = lambda found: None,
) -> LoadResult:
    """Loads what the plan says, exactly once in effect, however often it is tried.

    `files` maps the names of the source's files to their paths. `progress` gets the stage and
    the rows per table about once a second, `announce` what changed since the last load, before a
    row is read. Nothing of an earlier try is used: dlt's state comes from the destination, and its
    work directory is new and removed at the end.

    Raises:
        TerminalError: another try would fail in the same way.
        TransientError: another try may succeed.
    """
    started = time.monotonic()
    pipelines_dir = work_dir / "dlt"
    shutil.rmtree(pipelines_dir, ignore_errors=True)
    try:
        lease.check()
        with isolated(plan.config.batch_size), open_destination(plan, lease) as destination:
            load = _Load(plan, pipelines_dir, files, lease, destination, announce)
            return load.run(progress, started)
    except FabricError:
        raise
    except Exception as error:
        from etlfabric_core.extract_load.failures import explained

        raise explained(error, plan.destination) from None
    finally:
        shutil.rmtree(pipelines_dir, ignore_errors=True)


@dataclass(frozen=True)
class _Load:
    plan: LoadPlan
    pipelines_dir: Path
    files: Mapping[str, Path]
    lease: LeaseKeeper
    destination: Destination
    announce: Callable[[FoundChanges], None]

    def run(self, report: Callable[[str, dict[str, int]], None], started: float) -> LoadResult:
        from etlfabric_core.extract_load import counts, fast_path, schema_changes, verdict
        from etlfabric_core.extract_load.planning import planned
        from etlfabric_core.extract_load.progress import ProgressMeter
        from etlfabric_core.extract_load.resources import dlt_source
        from etlfabric_core.extract_load.sources import open_reader

        orphans = self.destination.remove_orphans()
        meter = ProgressMeter(report)
        with open_reader(self.plan.source, self.files, self.plan.config) as reader:
            place = self._place()
            tables, skipped = planned(self.plan, reader, place)
            schema_changes.require_agreed(self.plan, tables, place.types_of, self.announce)
            copies = self.pipelines_dir / "copies"
            tables = [self.destination.on_its_path(table, copies) for table in tables]
            pipeline = self._pipeline(tables, meter)
            pipeline.sync_destination()
            steps = verdict.Steps(pipeline.extract(dlt_source(self.plan.pipeline, tables)))
        verdict.require_enough(tables, steps)
        self.destination.stage_deletes(tables)
        load_ids = tuple(steps.extract.loads_ids) if tables else ()
        if load_ids:
            normalized = pipeline.normalize()
            passed_on = fast_path.normalized_rows(pipeline, load_ids)
            for table, rows in passed_on.items():
                meter.add("normalize", table, rows)
            meter.finish("normalize")
            loaded = self._load(pipeline, load_ids, tables)
            steps = verdict.Steps(steps.extract, normalized, loaded, passed_on)
            meter.finish("load")
        loads = verdict.table_loads(tables, steps, meter.rows("load"))
        gone = self.destination.apply_deletes(tables)
        return LoadResult(
            load_ids=load_ids,
            tables=verdict.compared(loads, gone, counts.compare(self.destination, tables)),
            skipped=tuple(skipped),
            replay=bool(self.plan.replay),
            orphans_removed=orphans,
            seconds=time.monotonic() - started,
        )

    def _place(self) -> "Place":
        from etlfabric_core.extract_load.planning import Place

        there, rejected = self.destination, self.pipelines_dir / "rejected"
        types_of = cache(there.present)
        return Place(there.replay_session, types_of, rejected, there.is_compared, there.holds)

    def _pipeline(self, tables: "list[PlannedTable]", meter: "ProgressMeter") -> "dlt.Pipeline":
        import dlt

        from etlfabric_core.extract_load.destinations.writer import LoadGuard
        from etlfabric_core.extract_load.progress import StageCollector

        guard = LoadGuard(
            writer=self.destination.writer,
            lease=self.lease,
            meter=meter,
            window=self.plan.window,
            reloaded={
                table.name: table.cursor.name
                for table in tables
                if table.is_reloaded and table.cursor
            },
            replayed=tuple(table.replay.outcomes for table in tables if table.replay),
        )
        return dlt.pipeline(
            pipeline_name=self.plan.pipeline,
            pipelines_dir=str(self.pipelines_dir),
            destination=self.destination.dlt_destination(guard),
            dataset_name=self.plan.dataset,
            progress=StageCollector(meter, {table.name for table in tables}),
        )

    def _load(
        self, pipeline: "dlt.Pipeline", load_ids: tuple[str, ...], tables: "list[PlannedTable]"
    ) -> Any:
        appended = [table.name for table in tables if table.only_adds]
        with self.destination.dataset_lock(self.lease):
            self.lease.check()
            self.destination.register(load_ids, appended)
            loaded = pipeline.load()
            if pipeline.has_pending_data or not self.destination.completed(load_ids):
                raise TerminalError(
                    "the destination does not list the load as complete",
                    hint="run again; when it stays, report it with the run's id",
                )
        return loaded
