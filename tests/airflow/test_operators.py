"""ETL Fabric accounts in Airflow: roles, and what the service takes away."""

import json
from typing import Any

import pytest
from airflow.configuration import conf
from airflow.providers.fab.auth_manager.models import Role, User
from etlfabric_airflow import operators, roles
from etlfabric_airflow.auth_manager import EtlFabAuthManager
from etlfabric_airflow.dags import build_dags
from metadata_stand_in import MetadataStandIn
from sample_project import dag_spec

from etlfabric_core.errors import Forbidden, TransientError, Unauthenticated
from etlfabric_core.specs.operators import Operator

ADA = Operator(
    user_id=7, email="ada@example.com", name="Ada", organizations=("acme", "globex"), stamp="s1"
)


@pytest.fixture
def said(service: MetadataStandIn) -> dict[str, Any]:
    """What the service answers about operators: a status and a body, for all of them."""
    answer: dict[str, Any] = {"status": 200, "body": ADA.model_dump(mode="json")}
    service.answers["operators"] = lambda *_: (
        answer["status"],
        json.dumps(answer["body"]).encode(),
    )
    return answer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that have gone by."""
    now = [1000.0]
    monkeypatch.setattr(operators.time, "monotonic", lambda: now[0])
    return now


def user(key: str = "account-7@etlfabric.invalid") -> User:
    made = User(id=3, email=key, username="ada@example.com", active=True)
    made.roles = [Role(name=name) for name in roles.names(ADA)]
    return made


def test_the_configured_class_is_one_that_airflow_takes_for_fab() -> None:
    path = conf.get("core", "auth_manager")
    assert "FabAuthManager" in path
    assert conf.getimport("core", "auth_manager") is EtlFabAuthManager


@pytest.mark.feature("A9")
def test_roles_follow_from_what_somebody_operates() -> None:
    assert roles.names(ADA) == ("organization_operator", "org_acme", "org_globex")
    for platform_role, role in (("operator", "Op"), ("owner", "Admin")):
        assert roles.names(ADA.model_copy(update={"platform_role": platform_role})) == (role,)


@pytest.mark.feature("A9")
def test_operators_get_nothing_that_airflow_cannot_tell_apart_by_dag() -> None:
    closed = {"DAGs", "Assets", "Asset Aliases", "Connections", "Variables", "Pools", "Jobs"}
    closed |= {"Configurations", "Plugins", "Providers", "Triggers", "Audit Logs", "Users", "Roles"}
    granted = {resource for action, resource in roles.SHARED_PERMISSIONS if action != "menu_access"}
    assert not granted & closed


@pytest.mark.feature("A9")
def test_a_dag_is_open_to_its_own_organization_alone() -> None:
    [dag] = build_dags(dag_spec("acme"), lambda _: None)
    assert dag.access_control == {
        "org_acme": {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}
    }


def test_a_name_without_an_at_sign_is_never_asked_of_the_service() -> None:
    assert not operators.is_account("operator")
    assert operators.is_account("ada@example.com")
    assert operators.account_id(user()) == 7
    for key in ("operator@etlfabric.invalid", "account-7@etlfabric.invalid.example.com", "", None):
        assert operators.account_id(user(key)) is None


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthenticated), (403, Forbidden), (503, TransientError)]
)
def test_a_refused_sign_in_says_why(
    said: dict[str, Any], status: int, error: type[Exception]
) -> None:
    said.update(status=status, body={"message": "no, because", "hint": None})
    with pytest.raises(error, match="no, because"):
        operators.sign_in("ada@example.com", "secret", "192.0.2.1")


@pytest.mark.feature("A9")
def test_what_the_service_takes_away_is_gone_when_the_answer_is_old(
    said: dict[str, Any], clock: list[float]
) -> None:
    answers = operators.Answers()
    assert answers.of(7) == ADA
    said.update(status=404, body={"message": "operates nothing", "hint": None})
    assert answers.of(7) == ADA
    clock[0] += operators.FRESH_SECONDS
    assert answers.of(7) is None
    said.update(status=200, body=ADA.model_dump(mode="json"))
    clock[0] += operators.FRESH_SECONDS
    assert answers.of(7) == ADA


def test_an_absent_service_is_bridged_for_less_than_a_minute(
    said: dict[str, Any], clock: list[float]
) -> None:
    answers = operators.Answers()
    assert answers.of(7) == ADA
    said.update(status=503, body={"message": "away", "hint": None})
    clock[0] += operators.GRACE_SECONDS - 1
    assert answers.of(7) == ADA
    clock[0] += 1
    assert answers.of(7) is None
    assert operators.Answers().of(7) is None


@pytest.mark.feature("A9")
@pytest.mark.parametrize("stamp", ["s0", "", None, 1])
def test_a_token_from_before_the_password_was_changed_is_refused(stamp: object) -> None:
    assert operators.still(ADA, "s1")
    assert not operators.still(ADA, stamp)
    assert not operators.still(None, "s1")


def test_a_token_says_when_it_was_given_and_one_of_airflows_own_accounts_does_not() -> None:
    manager = EtlFabAuthManager()
    ada, local = user(), user("operator@etlfabric.invalid")
    ada.stamp = ADA.stamp
    assert manager.serialize_user(ada) == {"sub": "3", "stamp": "s1"}
    assert manager.serialize_user(local) == {"sub": "3"}
