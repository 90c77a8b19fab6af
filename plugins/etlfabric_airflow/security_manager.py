"""Airflow's sign-in form and browser sessions for ETL Fabric accounts."""

import flask
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.auth_manager.security_manager.override import (
    FabAirflowSecurityManagerOverride,
)
from flask_appbuilder.security.views import AuthDBView

from etlfabric_airflow import clients, operators
from etlfabric_core.errors import FabricError

_STAMP = "etlfabric_stamp"
_REFUSAL = "etlfabric_refusal"


class SignInView(AuthDBView):
    """The form; says why somebody was refused."""

    @property
    def invalid_login_message(self) -> str:
        return flask.g.get(_REFUSAL) or AuthDBView.invalid_login_message


class FabricSecurityManager(FabAirflowSecurityManagerOverride):
    """E-mail addresses are checked by the metadata service, every other name by Airflow itself.

    So the accounts of the service and of whoever runs the installation work without it.
    """

    authdbview = SignInView

    def __init__(self, appbuilder, answers: operators.Answers) -> None:
        self.answers = answers
        super().__init__(appbuilder)

    def auth_user_db(self, username, password, rotate_session_id=True) -> User | None:
        """The user with this password, for the form and for FAB's own API; None refuses."""
        if not operators.is_account(username or ""):
            return super().auth_user_db(username, password, rotate_session_id)
        in_browser = flask.has_request_context()
        try:
            user = self.sign_in(username, password)
        except FabricError as error:
            flask.g.setdefault(_REFUSAL, f"{error.message[0].upper()}{error.message[1:]}.")
            return None
        if in_browser:
            if rotate_session_id:
                self._rotate_session_id()
            flask.session[_STAMP] = user.stamp
        return user

    def sign_in(self, username: str, password: str) -> User:
        """The user of an ETL Fabric account; `stamp` goes into every token.

        Raises:
            Unauthenticated, Forbidden, TransientError: see `operators.sign_in`.
        """
        operator = operators.sign_in(username, password, clients.address())
        self.answers.learn(operator)
        user = operators.keep(self.session, operator)
        self.update_user_auth_stat(user, True)
        user.stamp = operator.stamp
        return user

    def load_user(self, pk) -> User | None:
        """The user of a browser session, if the service still says so."""
        user = super().load_user(pk)
        account = operators.account_id(user) if user else None
        if user is None or account is None:
            return user
        operator = self.answers.of(account)
        user.stamp = flask.session.get(_STAMP)
        if not operators.still(operator, user.stamp):
            return None
        if not operators.has_roles(user, operator):
            operators.keep(self.session, operator)
            self._reset_user_permissions_cache(user)
        return user
