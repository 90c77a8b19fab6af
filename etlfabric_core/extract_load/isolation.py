"""dlt without its surroundings: no environment, no Airflow Variables, no files, no telemetry."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Read by dlt once, when it makes its first run context, before ours can be put in its place.
QUIET = {"PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false", "RUNTIME__DLTHUB_TELEMETRY": "false"}

FILE_ITEMS = 250_000
LOAD_WORKERS = 4


def settings(batch_size: int) -> dict[str, Any]:
    """All that dlt is told, apart from credentials, which are passed as objects.

    A load job is tried once: when a connection breaks during a commit nobody knows whether the
    rows are there, and only a new try of the whole load, which removes them, is exact. dlt's log
    is shut because it repeats the server's words, and those repeat rows; failures are told in
    our own words.
    """
    return {
        "runtime": {
            "dlthub_telemetry": False,
            "log_level": "CRITICAL",
            "intercept_signals": False,
        },
        # One table after the other: a session at the source can send only one at a time.
        "extract": {"next_item_mode": "fifo"},
        "normalize": {"parquet_normalizer": {"add_dlt_load_id": True}, "workers": 1},
        "load": {
            "workers": LOAD_WORKERS,
            "raise_on_failed_jobs": True,
            "raise_on_max_retries": 1,
            "truncate_staging_dataset": True,
        },
        "data_writer": {
            "buffer_max_items": batch_size,
            "file_max_items": max(FILE_ITEMS, batch_size),
        },
    }


@contextmanager
def isolated(batch_size: int) -> Iterator[None]:
    """Within it dlt knows `settings` and nothing else."""
    os.environ.update(QUIET)
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.providers import CustomLoaderDocProvider
    from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    context = Container()[PluggableRunContext]
    former = context.providers
    provider = CustomLoaderDocProvider("etlfabric", lambda: settings(batch_size))
    context.providers = ConfigProvidersContainer([provider])
    context.initialize_runtime()
    try:
        yield
    finally:
        context.providers = former
