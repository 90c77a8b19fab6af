"""Airflow's auth manager: FAB's, with ETL Fabric accounts."""

from functools import cached_property
from typing import Any

import jwt
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.models import DagModel
from airflow.models.errors import ParseImportError
from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager
from airflow.providers.fab.auth_manager.models import User
from airflow.providers.fab.www.security.permissions import RESOURCE_DAG
from airflow.utils.session import create_session
from anyio import to_thread
from fastapi import HTTPException, status
from sqlalchemy import exists, select

from etlfabric_airflow import operators
from etlfabric_airflow.clients import ClientMiddleware
from etlfabric_airflow.security_manager import FabricSecurityManager
from etlfabric_core.errors import FabricError, Forbidden, Unauthenticated

_STAMP = "stamp"
_STATUS = {Forbidden: status.HTTP_403_FORBIDDEN}


class EtlFabAuthManager(FabAuthManager):
    """Airflow looks for "FabAuthManager" in this name: without it no DAG would get permissions."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = operators.Answers()

    @cached_property
    def security_manager(self) -> FabricSecurityManager:
        return FabricSecurityManager(self.appbuilder, self.answers)

    def get_fastapi_middlewares(self) -> list[tuple[Any, dict[str, Any]]]:
        """What stands before every route of Airflow."""
        return [*super().get_fastapi_middlewares(), (ClientMiddleware, {})]

    def create_token(self, headers: dict[str, str], body: dict[str, Any]) -> User | None:
        """The user of `POST /auth/token`; None: wrong name or password.

        Raises:
            HTTPException: 403 nothing to operate, 503 the metadata service is away.
        """
        username, password = body.get("username"), body.get("password")
        named = isinstance(username, str) and isinstance(password, str)
        if not named or not password or not operators.is_account(username):
            return super().create_token(headers, body)
        try:
            return self.security_manager.sign_in(username, password)
        except Unauthenticated:
            return None
        except FabricError as error:
            code = _STATUS.get(type(error), status.HTTP_503_SERVICE_UNAVAILABLE)
            raise HTTPException(code, detail=error.message) from error

    def serialize_user(self, user: User) -> dict[str, Any]:
        """What a token says of a user."""
        claims = super().serialize_user(user)
        if operators.account_id(user) is not None:
            claims[_STAMP] = user.stamp
        return claims

    async def get_user_from_token(self, token: str) -> User:
        """The user of a token, if the service still says so.

        Raises:
            InvalidTokenError: it is no token of this Airflow.
            ExpiredSignatureError: it has expired, or the account may not be here any more.
        """
        user = await super().get_user_from_token(token)
        account = operators.account_id(user)
        if account is None:
            return user
        operator = await to_thread.run_sync(self.answers.of, account)
        claims = jwt.decode(token, options={"verify_signature": False})  # it was, just above
        if operator is None or not operators.still(operator, claims.get(_STAMP)):
            raise jwt.ExpiredSignatureError("this account may no longer sign in to Airflow")
        if not operators.has_roles(user, operator):
            with create_session() as session:
                operators.keep(session, operator)
            self.cache.pop(user.id, None)
            user = self.deserialize_user(claims)
        user.stamp = operator.stamp
        return user

    def is_authorized_view(self, *, access_view: AccessView, user: User, **more: Any) -> bool:
        """Whether a page is open to a user.

        Airflow shows the errors of a file without DAGs to everybody who may see any errors, so
        nobody but the platform's operators may while there are such.
        """
        allowed = super().is_authorized_view(access_view=access_view, user=user, **more)
        if not allowed or access_view is not AccessView.IMPORT_ERRORS:
            return allowed
        sees_all = self._is_authorized(method="GET", resource_type=RESOURCE_DAG, user=user)
        return sees_all or not _errors_without_dags()


def _errors_without_dags() -> bool:
    dags_of_file = exists().where(
        DagModel.relative_fileloc == ParseImportError.filename,
        DagModel.bundle_name == ParseImportError.bundle_name,
    )
    with create_session() as session:
        return bool(session.scalar(select(exists(ParseImportError.id).where(~dags_of_file))))
