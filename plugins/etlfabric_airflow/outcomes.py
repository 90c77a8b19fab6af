"""How a task ended: told to the service, and to Airflow, which decides about a retry."""

import logging
import time
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout
from airflow.sdk.log import redact

from etlfabric_airflow.service import Service
from etlfabric_core.errors import FabricError, TransientError
from etlfabric_core.specs.context import RunRef, TaskReport
from etlfabric_core.transform.plan import TransformResult

REPORT_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between tries to deliver a report

log = logging.getLogger(__name__)


class Cancelled(BaseException):
    """The supervisor asks the task to end. Unwinds through every `finally`, past `except`."""


def failure(run: RunRef, error: BaseException) -> TaskReport:
    """A failed dbt invocation brings along how each of its nodes ended."""
    result = getattr(error, "result", None)
    transform = result if isinstance(result, TransformResult) else None
    return TaskReport(run=run, outcome="failed", transform=transform, error=_body(error))


def _body(error: BaseException) -> dict[str, Any]:
    """What the organization reads. The text of an unexpected error is masked and cut."""
    if isinstance(error, FabricError):
        return error.body()
    if isinstance(error, Cancelled):
        return {"error": "cancelled", "message": "the task was cancelled", "hint": None}
    if isinstance(error, AirflowTaskTimeout):
        hint = "Give the node a longer timeout, or load less at a time."
        return {"error": "timeout", "message": "the task ran into its time limit", "hint": hint}
    text = str(redact(f"{type(error).__name__}: {error}"))[:2000]
    return {"error": "internal_error", "message": text, "hint": "Ask the operators."}


def for_airflow(error: BaseException) -> AirflowException | None:
    """Which errors are worth a retry is ours to say; None is left to Airflow as it is."""
    if isinstance(error, TransientError):
        return AirflowException(_with_hint(error))
    if isinstance(error, FabricError):
        return AirflowFailException(_with_hint(error))
    return AirflowException("cancelled") if isinstance(error, Cancelled) else None


def _with_hint(error: FabricError) -> str:
    lines = [error.message, *(problem.message for problem in error.problems)]
    return "\n".join([*lines, error.hint] if error.hint else lines)


def deliver(service: Service, report: TaskReport, error: BaseException | None = None) -> None:
    """The data has arrived or it has not: a report that is lost does not change that, and a
    retry because of it would load twice. A task that is being killed has no time to insist.
    """
    pauses = () if isinstance(error, Cancelled) else REPORT_PAUSES
    for pause in (*pauses, None):
        try:
            service.report(report)
        except TransientError as away:
            if pause is None:
                log.error("the report was not delivered: %s", away.message)
                return
            time.sleep(pause)
        except FabricError as refused:
            log.error("the report was refused: %s", refused.message)
            return
        else:
            return
