"""Airflow accounts with the role Admin, from the environment. Run with `python -m`.

`ETLFABRIC_ACCOUNT_<name>=<password>` makes an account where there is none of that name. The
environment and not the command line, because other users can read command lines.
"""

import os

PREFIX = "ETLFABRIC_ACCOUNT_"


def main() -> None:
    """Make every account that the environment names.

    Raises:
        RuntimeError: Airflow refused one.
    """
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.providers_manager import ProvidersManager

    ProvidersManager().initialize_providers_configuration()
    with get_application_builder() as builder:
        for variable in sorted(name for name in os.environ if name.startswith(PREFIX)):
            _ensure(builder.sm, variable.removeprefix(PREFIX), os.environ[variable])


def _ensure(manager, name: str, password: str) -> None:
    if manager.find_user(username=name):
        return
    email = f"{name}@etlfabric.invalid"
    admin = manager.find_role("Admin")
    if not manager.add_user(name, name.title(), "ETL Fabric", email, admin, password=password):
        raise RuntimeError(f"Airflow's account '{name}' could not be made")


if __name__ == "__main__":
    main()
