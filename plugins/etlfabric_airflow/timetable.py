"""The timetable of a schedule: cron intervals with a start that backfills may precede."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from airflow.sdk.timezone import parse as parse_date
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from pendulum import timezone as parse_timezone


class FabricTimetable(CronDataIntervalTimetable):
    """Cron data intervals; no scheduled run before `start`.

    A DAG's own start date would also keep the tasks of a backfill from running, for Airflow
    starts no task whose date lies before it.
    """

    def __init__(self, cron: str, timezone: str, start: datetime) -> None:
        super().__init__(cron, timezone=parse_timezone(timezone))
        self._zone = timezone
        self._start = parse_date(start.isoformat())

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        # The scheduler asks without an end (our DAGs have none); a backfill asks with one.
        if restriction.latest is None:
            earliest = max(restriction.earliest or self._start, self._start)
            restriction = restriction._replace(earliest=earliest)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )

    def serialize(self) -> dict[str, Any]:
        return {
            "cron": self._expression,
            "timezone": self._zone,
            "start": self._start.isoformat(),
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "FabricTimetable":
        """Shared between the many times that Airflow decodes the same DAG: building one parses
        the expression and loads a locale.
        """
        return _decoded(data["cron"], data["timezone"], data["start"])


@lru_cache(maxsize=4096)
def _decoded(cron: str, timezone: str, start: str) -> FabricTimetable:
    return FabricTimetable(cron, timezone, datetime.fromisoformat(start))
