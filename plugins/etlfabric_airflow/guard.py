"""Nothing reaches Airflow that could harm a neighbour: each workflow's DAGs are tried out first.

An exception in a DAG file marks every DAG of that file stale, and one that hangs is killed
together with its file. So a spec is built under a time limit and carried through Airflow's own
checks and serialization before anything is registered.
"""

from collections.abc import Callable

from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from etlfabric_airflow.timeouts import time_limit

BUILD_SECONDS = 8.0


class Refused(Exception):
    """A spec could not be built. The message names the kind of error and carries no content of
    the organization beyond what Airflow or dbt said.
    """


def tried_out(build: Callable[[], list[DAG]], namespace: str) -> list[DAG]:
    """The DAGs of one workflow, proven to serialize.

    Raises:
        Refused: whatever went wrong, of whatever kind, time included.
    """
    try:
        with time_limit(BUILD_SECONDS):
            dags = build()
            for dag in dags:
                _check(dag, namespace)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Refused(f"{type(error).__name__}: {error}"[:2000]) from error
    return dags


def _check(dag: DAG, namespace: str) -> None:
    if dag.dag_id != namespace and not dag.dag_id.startswith(f"{namespace}."):
        raise ValueError(f"dag_id {dag.dag_id} is outside {namespace}")
    dag.validate()
    dag.check_cycle()
    DagSerialization.from_dict(DagSerialization.to_dict(dag))
