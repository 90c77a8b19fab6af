"""The first and the last task of a run: what is left out, and whether the run was good."""

import logging
from collections.abc import Sequence
from typing import Any

from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from airflow.sdk.timezone import parse as parse_date

from etlfabric_airflow.fabric_operator import FabricOperator
from etlfabric_core import clock

LATE_SECONDS = 600.0  # a scheduled run that begins later than this missed its slot

log = logging.getLogger(__name__)


class BeginTask(FabricOperator):
    """The first task: skips in one step whatever a partial run leaves out.

    In a backfill with `conf` {"on_failure": "stop", "from": date} it fails when a window since
    that date has failed: none is begun behind a gap. With {"replay": …} the selected nodes load
    their rejected rows.

    `members` maps a node's slug to its task ids, `select` is what a partial schedule runs, and
    `skip_late` says that a missed slot is not made up for.
    """

    def __init__(
        self, *, select: Sequence[str] = (), skip_late: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(node="begin", **kwargs)
        self.select = tuple(select)
        self.skip_late = skip_late
        self.members: dict[str, tuple[str, ...]] = {}

    def execute(self, context: Context) -> None:
        """Raises:
        AirflowFailException: `conf` makes no sense, or the backfill is to stop.
        DownstreamTasksSkipped: Airflow's way of saying which tasks to skip.
        """
        refuse_behind_a_failure(context)
        self.refuse_other_replays(context)
        left_out = self.left_out(context)
        if left_out:
            raise DownstreamTasksSkipped(tasks=left_out)

    def left_out(self, context: Context) -> list[str]:
        """Task ids that this run does not run, sorted."""
        run = context["dag_run"]
        everything = {task for tasks in self.members.values() for task in tasks}
        if self._is_late(run):
            log.info("the slot was missed and the schedule says to skip it")
            return sorted(everything)
        select = (run.conf or {}).get("select") or self.select
        if not select:
            return []
        if not isinstance(select, list | tuple) or set(select) - set(self.members):
            raise AirflowFailException(f"conf.select names nodes this workflow has not: {select}")
        chosen = {task for slug in select for task in self.members[slug]}
        return sorted(everything - chosen)

    def refuse_other_replays(self, context: Context) -> None:
        """`conf` {"replay": {node: tables}} makes a node load rejected rows; only with a
        `select` of just these nodes, so that no other one takes it for an ordinary run.

        Raises:
            AirflowFailException: it is not like that.
        """
        run = context["dag_run"]
        conf = run.conf or {}
        if "replay" not in conf:
            return
        if run.run_type == "backfill":
            raise AirflowFailException('conf: "replay" is for manual runs: it has no window')
        replay, select = conf["replay"], conf.get("select")
        well_formed = isinstance(replay, dict) and all(map(_are_tables, replay.values()))
        if not well_formed or not replay or sorted(replay) != sorted(select or ()):
            raise AirflowFailException(
                'conf: "replay" needs the nodes of "select", each with a list of its tables'
            )

    def _is_late(self, run: Any) -> bool:
        if not self.skip_late or run.run_type != "scheduled" or run.run_after is None:
            return False
        return (clock.now() - run.run_after).total_seconds() > LATE_SECONDS


def _are_tables(names: Any) -> bool:
    return isinstance(names, list) and bool(names) and all(isinstance(one, str) for one in names)


def refuse_behind_a_failure(context: Context) -> None:
    """In a backfill that is to stop, no window begins behind one of its period that has failed.

    Raises:
        AirflowFailException: one has, or `conf` does not say since when.
    """
    run = context["dag_run"]
    conf = run.conf or {}
    if run.run_type != "backfill" or conf.get("on_failure") != "stop":
        return
    try:
        since = parse_date(str(conf.get("from")))
    except ValueError as error:
        raise AirflowFailException('conf: "on_failure": "stop" needs "from", a date') from error
    earlier = context["ti"].get_previous_dagrun(state="failed")
    if earlier is not None and earlier.logical_date >= since:
        raise AirflowFailException(
            f"the window of {earlier.logical_date.isoformat()} failed, so this one is not begun:"
            " mend the cause, then resume the backfill"
        )


class EndTask(FabricOperator):
    """The last task: runs only when some task failed, and fails as well.

    Airflow judges a run by its last tasks alone: without this one a partial run whose last tasks
    are left out would be green whatever happened before them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(node="end", **kwargs)

    def execute(self, context: Context) -> None:
        """Raises:
        AirflowFailException: always.
        """
        raise AirflowFailException("a task of this run failed")
