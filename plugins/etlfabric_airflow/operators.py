"""ETL Fabric accounts in Airflow: whom the metadata service lets in, for as long as it does.

Airflow keeps a user row for each, without a password, because its tokens and roles hang on one.
Whether the person may still be here is asked of the service again and again.
"""

import hmac
import logging
import re
import time
from typing import TYPE_CHECKING

from etlfabric_airflow import roles
from etlfabric_airflow.service import Service
from etlfabric_core.errors import NotFound, TransientError
from etlfabric_core.specs.operators import Operator, OperatorSignIn

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.models import User
    from sqlalchemy.orm import Session

# Together with Airflow's own cache of users, what the service takes away is gone within a minute.
FRESH_SECONDS = 15.0
# So long an answer is used while the service is away.
GRACE_SECONDS = 45.0
REQUEST_SECONDS = 5.0
# Airflow's unique column that nobody types: the user's id at the service, which never changes.
_KEY = re.compile(r"account-([0-9]+)@etlfabric\.invalid")

log = logging.getLogger(__name__)


def is_account(username: str) -> bool:
    """Whether a name that was typed is an ETL Fabric account; others are Airflow's own."""
    return "@" in username


def account_id(user: "User") -> int | None:
    """The service's id of an Airflow user; None for one of Airflow's own."""
    found = _KEY.fullmatch(user.email or "")
    return int(found.group(1)) if found else None


def sign_in(username: str, password: str, address: str | None) -> Operator:
    """Whom the service lets in.

    Raises:
        Unauthenticated: unknown, or the password is wrong.
        Forbidden: nothing to operate.
        TransientError: the service is away, or refuses for a while.
    """
    attempt = OperatorSignIn(username=username, password=password, address=address)
    return Service.from_environment(REQUEST_SECONDS).sign_in(attempt)


def keep(session: "Session", operator: Operator) -> "User":
    """The operator's row among Airflow's users, with exactly the roles of the operator."""
    from airflow.providers.fab.auth_manager.models import User
    from sqlalchemy import select, update

    key = f"account-{operator.user_id}@etlfabric.invalid"
    # Whoever had this address before is known by the key until the next sign-in.
    former = update(User).where(User.username == operator.email, User.email != key)
    session.execute(former.values(username=User.email))
    user = session.scalars(select(User).where(User.email == key)).one_or_none()
    if user is None:
        user = User(email=key, last_name="", active=True, password=None)
        session.add(user)
    user.username = operator.email
    user.first_name = operator.name[:256]
    user.roles = roles.ensure(session, roles.names(operator))
    session.commit()
    return user


class Answers:
    """What the service last said about each account."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[float, Operator | None]] = {}

    def of(self, user_id: int) -> Operator | None:
        """The operator as of a moment ago; None when the account may not be here."""
        asked_at, known = self._known.get(user_id, (float("-inf"), None))
        age = time.monotonic() - asked_at
        if age < FRESH_SECONDS:
            return known
        try:
            answer = self._ask(user_id)
        except TransientError as error:
            log.warning("operator %s could not be checked: %s", user_id, error.message)
            return known if age < GRACE_SECONDS else None
        self._known[user_id] = (time.monotonic(), answer)
        return answer

    def learn(self, operator: Operator) -> None:
        """What a sign-in has just said."""
        self._known[operator.user_id] = (time.monotonic(), operator)

    def _ask(self, user_id: int) -> Operator | None:
        try:
            return Service.from_environment(REQUEST_SECONDS).operator(user_id)
        except NotFound:
            return None


def still(operator: Operator | None, stamp: object) -> bool:
    """Whether somebody who signed in when the password had this stamp may go on."""
    if operator is None or not isinstance(stamp, str):
        return False
    return hmac.compare_digest(operator.stamp.encode(), stamp.encode())


def has_roles(user: "User", operator: Operator) -> bool:
    """Whether Airflow's row says what the service says."""
    return {role.name for role in user.roles} == set(roles.names(operator))
