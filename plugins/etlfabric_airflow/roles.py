"""Airflow's roles: which ones an operator has, and what an organization's operators may do.

An organization's operators have two: SHARED, what every one of them may do with the DAGs that are
visible to them, and `org_<slug>`, which makes exactly its organization's DAGs visible.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etlfabric_core.specs.operators import Operator

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.models import Role
    from sqlalchemy.orm import Session

SHARED = "organization_operator"
PLATFORM = {"owner": "Admin", "operator": "Op"}

# Per DAG, for its organization's role.
ON_OWN_DAGS = {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}

# Never the global DAGs, and nothing that Airflow cannot tell apart by DAG: Assets, Connections,
# Variables, Pools, Configurations, Plugins, Providers, Jobs, Triggers, Audit Logs, users.
SHARED_PERMISSIONS = tuple(
    [
        ("can_read", resource)
        for resource in (
            "Website",
            "DAG Runs",
            "DAG Code",
            "DAG Dependencies",
            "DAG Versions",
            "DAG Warnings",
            "HITL Detail",  # Airflow's start page asks for it
            "ImportError",
            "Task Instances",
            "Task Logs",
            "XComs",
        )
    ]
    + [
        ("can_create", "DAG Runs"),
        ("can_edit", "DAG Runs"),
        ("can_edit", "Task Instances"),
        ("menu_access", "DAGs"),
        ("menu_access", "DAG Runs"),
    ]
)


def organization_role(slug: str) -> str:
    """The role of an organization's operators."""
    return f"org_{slug}"


def names(operator: Operator) -> tuple[str, ...]:
    """The roles of an operator. Who operates the platform needs no organization's role."""
    if operator.platform_role:
        return (PLATFORM[operator.platform_role],)
    return (SHARED, *map(organization_role, operator.organizations))


def access_control(organization: str) -> dict[str, dict[str, set[str]]]:
    """What a DAG says about who may see it."""
    return {organization_role(organization): ON_OWN_DAGS}


def ensure_organization(slug: str) -> None:
    """Make the role of an organization's operators, where there is none."""
    from airflow.utils.session import create_session

    with create_session() as session:
        ensure(session, [organization_role(slug)])


def ensure(session: "Session", wanted: Iterable[str]) -> list["Role"]:
    """The roles of these names. An organization's role that is missing is made, without rights.

    Raises:
        LookupError: a role is missing that only `etlfabric_airflow.accounts` makes.
    """
    from airflow.providers.fab.auth_manager.models import Role
    from sqlalchemy import select

    found = []
    for name in wanted:
        role = session.scalars(select(Role).where(Role.name == name)).unique().one_or_none()
        if role is None:
            if name == SHARED or name in PLATFORM.values():
                raise LookupError(
                    f"Airflow has no role '{name}': run python -m etlfabric_airflow.accounts"
                )
            role = Role(name=name)
            session.add(role)
        found.append(role)
    session.flush()
    return found
