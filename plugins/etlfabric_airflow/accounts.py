"""The role of all organizations' operators, and accounts with the role Admin. Run with `python -m`.

`ETLFABRIC_ACCOUNT_<name>=<password>` makes an account where there is none of that name. The
environment and not the command line, because other users can read command lines.
"""

import os

from etlfabric_airflow.roles import SHARED, SHARED_PERMISSIONS

PREFIX = "ETLFABRIC_ACCOUNT_"


def main() -> None:
    """Make the role, and every account that the environment names.

    Raises:
        RuntimeError: Airflow refused one.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()
    with get_application_builder() as builder:
        _ensure_shared_role(builder.sm)
        for variable in sorted(name for name in os.environ if name.startswith(PREFIX)):
            _ensure(builder.sm, variable.removeprefix(PREFIX), os.environ[variable])


def _ensure_shared_role(manager) -> None:
    """Exactly its permissions: what an earlier version allowed and this one does not, goes."""
    role = manager.add_role(SHARED)
    role.permissions = [manager.create_permission(*pair) for pair in SHARED_PERMISSIONS]
    manager.session.commit()


def _ensure(manager, name: str, password: str) -> None:
    if manager.find_user(username=name):
        return
    email = f"{name}@etlfabric.invalid"
    admin = manager.find_role("Admin")
    if not manager.add_user(name, name.title(), "ETL Fabric", email, admin, password=password):
        raise RuntimeError(f"Airflow's account '{name}' could not be made")


if __name__ == "__main__":
    main()
