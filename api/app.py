"""The metadata service, wired."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline

from api import chores, errors, log, middleware, web
from api.deps import Wiring
from api.routes import (
    api_keys,
    audit,
    auth,
    backfills,
    connections,
    drafts,
    edges,
    health,
    identities,
    internal_feed,
    internal_operators,
    internal_runs,
    invitations,
    listings,
    loaded_tables,
    me,
    members,
    organization,
    organizations,
    partial_uploads,
    pipeline_state,
    pipelines,
    platform,
    registry,
    rejected_rows,
    replays,
    runs,
    saml,
    schedules,
    schema_changes,
    sso,
    tables,
    transformations,
    uploads,
    workflows,
)
from etlfabric_core import sandbox
from etlfabric_core.access.network import AllowList
from etlfabric_core.access.throttle import Throttle
from etlfabric_core.audit_keys import AuditKeys
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.engine import make_engine, make_sessions
from etlfabric_core.errors import InvalidConfig, TooLarge, TooManyRequests
from etlfabric_core.files.storage import Storage
from etlfabric_core.mail import Mailer
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.services.run_events import RunFeeds
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.settings import Settings

# Each module in routes/ exposes `router`; its paths are relative to /api/v1.
ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    sso.router,
    saml.router,
    me.router,
    identities.router,
    invitations.public,
    organization.router,
    organizations.router,
    members.router,
    invitations.router,
    api_keys.router,
    audit.router,
    registry.router,
    connections.router,
    listings.router,
    drafts.router,
    uploads.router,
    partial_uploads.router,
    tables.router,
    rejected_rows.router,
    workflows.router,
    pipelines.router,
    pipeline_state.router,
    loaded_tables.router,
    replays.router,
    transformations.router,
    edges.router,
    schedules.router,
    schema_changes.router,
    runs.router,
    backfills.router,
    platform.router,
)
# What every one of them may answer.
ANY_ROUTE = errors.errors(InvalidConfig, TooLarge, TooManyRequests)
# Paths outside /api/v1.
ROOT_ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    internal_feed.router,
    internal_runs.router,
    internal_operators.router,
)


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings.

    Raises:
        ValueError: no usable encryption or audit key.
    """
    engine = make_engine(settings.database_url.get_secret_value())
    orchestrator = AirflowClient(
        settings.airflow_url,
        settings.airflow_username,
        settings.airflow_password.get_secret_value(),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(asyncio.to_thread(_warm_sandbox))
        working = asyncio.create_task(chores.from_time_to_time(app.state.wiring))
        yield
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        await warming
        await orchestrator.close()
        await engine.dispose()

    log.configure()
    app = FastAPIOffline(  # the viewer of /docs comes with the package, not from a CDN
        title="ETL Fabric",
        version="1",
        lifespan=lifespan,
        docs_url="/docs",
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.wiring = Wiring(
        settings=settings,
        sessions=make_sessions(engine, AuditKeys(settings.audit_keys.get_secret_value())),
        box=SecretBox(settings.key_ring(), settings.cipher),
        storage=Storage(settings.storage_url),
        warehouse=Warehouse.from_url(settings.warehouse_url.get_secret_value()),
        orchestrator=orchestrator,
        run_feeds=RunFeeds(),
        allowed=AllowList.parse(settings.allowed_private_hosts),
        throttle=Throttle(settings.rate_limit_storage_url, settings.rate_limits),
        mailer=Mailer(settings.smtp_url.get_secret_value(), settings.mail_from),
    )
    errors.install(app)
    middleware.install(app, settings)
    for router in ROUTERS:
        app.include_router(router, prefix="/api/v1", responses=ANY_ROUTE)
    for router in ROOT_ROUTERS:
        app.include_router(router)
    web.mount(app, settings.web_dir)
    return app


def _warm_sandbox() -> None:
    """The first check of a model does not wait for dbt's imports; operators see the isolation."""
    sandbox.server.ensure()
    found = sandbox.report()
    structlog.get_logger().info("sandbox_ready", level=found["level"], holes=found["holes"])
