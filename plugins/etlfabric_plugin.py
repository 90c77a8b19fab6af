"""What ETL Fabric adds to Airflow itself: its timetable. Tasks and DAGs come from the bundle."""

from airflow.plugins_manager import AirflowPlugin
from etlfabric_airflow.timetable import FabricTimetable


class EtlFabricPlugin(AirflowPlugin):
    """Found by Airflow in the plugins folder."""

    name = "etlfabric"
    timetables = [FabricTimetable]  # noqa: RUF012  (Airflow's declaration)
