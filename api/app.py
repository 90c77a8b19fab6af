"""The metadata service, wired."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline

from api import errors, log, middleware, web
from api.deps import Wiring
from api.routes import (
    auth,
    backfills,
    connections,
    edges,
    health,
    internal_feed,
    internal_runs,
    me,
    members,
    organization,
    pipelines,
    registry,
    runs,
    schedules,
    tables,
    transformations,
    uploads,
    workflows,
)
from etlfabric_core import sandbox
from etlfabric_core.access.network import AllowList
from etlfabric_core.crypto import SecretBox
from etlfabric_core.db.engine import make_engine, make_sessions
from etlfabric_core.files.storage import Storage
from etlfabric_core.orchestrator.client import AirflowClient
from etlfabric_core.services.run_events import RunFeeds
from etlfabric_core.services.warehouse import Warehouse
from etlfabric_core.settings import Settings

# Each module in routes/ exposes `router`; its paths are relative to /api/v1.
ROUTERS: tuple[APIRouter, ...] = (
    auth.router,
    me.router,
    organization.router,
    members.router,
    registry.router,
    connections.router,
    uploads.router,
    tables.router,
    workflows.router,
    pipelines.router,
    transformations.router,
    edges.router,
    schedules.router,
    runs.router,
    backfills.router,
)
# Paths outside /api/v1.
ROOT_ROUTERS: tuple[APIRouter, ...] = (health.router, internal_feed.router, internal_runs.router)


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings.

    Raises:
        ValueError: no usable encryption key.
    """
    engine = make_engine(settings.database_url)
    orchestrator = AirflowClient(
        settings.airflow_url,
        settings.airflow_username,
        settings.airflow_password.get_secret_value(),
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warming = asyncio.create_task(asyncio.to_thread(_warm_sandbox))
        yield
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
        sessions=make_sessions(engine),
        box=SecretBox(settings.encryption_keys.get_secret_value()),
        storage=Storage(settings.storage_url),
        warehouse=Warehouse.from_url(settings.warehouse_url.get_secret_value()),
        orchestrator=orchestrator,
        run_feeds=RunFeeds(),
        allowed=AllowList.parse(settings.allowed_private_hosts),
    )
    errors.install(app)
    middleware.install(app, upload_max_bytes=settings.upload_max_bytes)
    for router in ROUTERS:
        app.include_router(router, prefix="/api/v1")
    for router in ROOT_ROUTERS:
        app.include_router(router)
    web.mount(app, settings.web_dir)
    return app


def _warm_sandbox() -> None:
    """The first check of a model does not wait for dbt's imports; operators see the isolation."""
    sandbox.server.ensure()
    structlog.get_logger().info("sandbox_ready", level=sandbox.level())
