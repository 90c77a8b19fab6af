"""Airflow's own REST API, as its operator sees it."""

from typing import Any

import httpx

from tests.e2e.running import Stack


def airflow_get(stack: Stack, path: str, **params: Any) -> Any:
    """The decoded answer of a GET below /api/v2."""
    base = stack.layout.airflow_url
    account = {"username": "operator", "password": stack.secrets["airflow_operator_password"]}
    token = httpx.post(f"{base}/auth/token", json=account, timeout=30).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{base}/api/v2{path}", params=params, headers=headers, timeout=30)
    assert answer.is_success, answer.text
    return answer.json()


def is_live(stack: Stack, dag_id: str) -> bool:
    """Whether Airflow would run the DAG: known, not stale, not paused."""
    dag = airflow_get(stack, f"/dags/{dag_id}")
    return not dag["is_stale"] and not dag["is_paused"]
