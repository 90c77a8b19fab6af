"""A job of the stack: roles, databases and the newest tables. Run with `python -m`.

Takes what it needs from the environment, because other users can read command lines.
"""

import os

from migrations.bootstrap import ROLES, bootstrap
from migrations.upgrade import upgrade


def main() -> None:
    """Bootstrap the server, then migrate the metadata database."""
    passwords = {name: os.environ[f"ETLFABRIC_BOOTSTRAP_{name.upper()}"] for name in ROLES}
    bootstrap(os.environ["ETLFABRIC_BOOTSTRAP_ADMIN_URL"], passwords)
    upgrade(os.environ["ETLFABRIC_MIGRATION_DATABASE_URL"])


if __name__ == "__main__":
    main()
