"""The Airflow settings that decide correctness and speed, as environment variables.

Imports nothing of Airflow, so that whoever starts Airflow can ask before it is imported.
"""

import json
from pathlib import Path

BUNDLE = "etlfabric"
REFRESH_SECONDS = 1
PARALLELISM = 4  # LocalExecutor; one task is about 250 MB


def airflow_environment(
    *,
    home: Path,
    database_url: str,
    port: int,
    api_url: str,
    internal_token: str,
    jwt_secret: str,
    secret_key: str,
    fernet_key: str,
    work_dir: Path,
    plugins_dir: Path,
) -> dict[str, str]:
    """Everything that every Airflow process of an installation needs in its environment.

    Args:
        home: `AIRFLOW_HOME`; logs, bundles and caches live below it.
        database_url: SQLAlchemy URL of Airflow's own database.
        port: of the api-server on 127.0.0.1.
        api_url: where the metadata service is reached.
        internal_token: what Airflow's side shows to the service's /internal/v1.
        jwt_secret: signs Airflow's tokens.
        secret_key: of the api-server; the same in every process.
        fernet_key: Airflow's own; no secret of an organization is ever stored there.
        work_dir: scratch space of tasks.
        plugins_dir: the folder with `etlfabric_plugin.py`.
    """
    return {
        "AIRFLOW_HOME": str(home),
        **_server(port, jwt_secret, secret_key, fernet_key),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins_dir),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(
            home / "logs" / "dag_processor"
        ),
        **_delivery(home),
        **_SCHEDULING,
        **_SAFETY,
        **_QUIET,
        "ETLFABRIC_API_URL": api_url,
        "ETLFABRIC_INTERNAL_TOKEN": internal_token,
        "ETLFABRIC_WORK_DIR": str(work_dir),
    }


def preload_environment(component: str) -> dict[str, str]:
    """What one Airflow component needs besides: imports that its children shall inherit."""
    groups = {"scheduler": "tasks", "dag-processor": "dags"}
    return {"ETLFABRIC_PRELOAD": groups[component]} if component in groups else {}


def _server(port: int, jwt_secret: str, secret_key: str, fernet_key: str) -> dict[str, str]:
    base_url = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": base_url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": jwt_secret,  # without it every process makes up its own
        "AIRFLOW__CORE__FERNET_KEY": fernet_key,  # without it Airflow stores plain text
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{base_url}/execution/",
        # Roles in the database, with permissions per DAG; accounts of the metadata service.
        "AIRFLOW__CORE__AUTH_MANAGER": "etlfabric_airflow.auth_manager.EtlFabAuthManager",
        "AIRFLOW__FAB__SESSION_LIFETIME_MINUTES": str(12 * 60),
    }


def _delivery(home: Path) -> dict[str, str]:
    """How an edit becomes a DAG."""
    bundle = {
        "name": BUNDLE,
        "classpath": "etlfabric_airflow.bundle.FabricBundle",
        "kwargs": {"refresh_interval": REFRESH_SECONDS},
    }
    return {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        # Every loop asks whether a bundle is due; the default of 5 s would delay an edit.
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": str(REFRESH_SECONDS),
        # Only what changed is parsed: a changed entry file is seen by its time stamp. This is
        # the backstop that parses every file once an hour.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
        # The default of 30 drops an edit that follows another one within 30 s.
        "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
        # A DAG is stale when its file was parsed and did not yield it. Deleted entry files do
        # not wait for this; a hiccup of one parse does.
        "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "600",
        # The guard stops a build earlier (factory.BUILD_SECONDS) than Airflow stops a file.
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "30",
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "60",
        # Every file of the bundle is one of ours; there is nothing to guess.
        "AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        # A run that began on a version needs its files for as long as it may last.
        "AIRFLOW__DAG_PROCESSOR__STALE_BUNDLE_CLEANUP_AGE_THRESHOLD": str(7 * 24 * 3600),
    }


# How a run becomes processes.
_SCHEDULING = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
    # Tasks are forked from the scheduler and inherit what it has imported.
    "AIRFLOW__CORE__EXECUTE_TASKS_NEW_PYTHON_INTERPRETER": "False",
    # An organization's pool is the bound, not the DAG.
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
    # With the default of 5 s a finished task keeps its slot for up to 5 s.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    # The next task of a run starts 0.2 s after the last one instead of 0.8 s.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    # An api-server that restarts kills no task: a supervisor gives up only after the scheduler
    # would have given the task up as well.
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "120",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "120",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "60",
    "AIRFLOW__SCHEDULER__CATCHUP_BY_DEFAULT": "False",
    # A cancelled task may drain its work before it is killed.
    "AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME": "30",
}

# What nobody may read or hand in.
_SAFETY = {
    "AIRFLOW__API__EXPOSE_CONFIG": "False",
    "AIRFLOW__API__EXPOSE_STACKTRACE": "False",
    "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.*",
    "AIRFLOW__CORE__TEST_CONNECTION": "Disabled",
    "AIRFLOW__CORE__HIDE_SENSITIVE_VAR_CONN_FIELDS": "True",
    "AIRFLOW__CORE__MULTI_TEAM": "False",
    # dlt would otherwise look every one of its settings up as an Airflow Variable.
    "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
    # Cosmos must not keep copies of projects and profiles in its own places.
    "AIRFLOW__COSMOS__ENABLE_CACHE": "False",
    "AIRFLOW__COSMOS__ENABLE_DAG_VERSIONING": "False",  # the revision is the version
    "AIRFLOW__COSMOS__ENABLE_CACHE_PROFILE": "False",
    "AIRFLOW__COSMOS__ENABLE_CACHE_PARTIAL_PARSE": "False",
    "AIRFLOW__COSMOS__UPLOAD_SQL_TO_XCOM": "False",
}

# Nothing calls home, and logs hold what happened.
_QUIET = {
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
    "DO_NOT_TRACK": "1",
    "SCARF_NO_ANALYTICS": "true",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    # One line per second and request otherwise: the bundle asks for news that often.
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "httpx=WARNING httpcore=WARNING",
}
