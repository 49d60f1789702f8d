"""The REST API as one application, to be mounted under /api beside the screens."""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ma.api import (
    analytics,
    auth,
    campaigns,
    customers,
    docs,
    health,
    intake,
    metrics,
    problems,
    segments,
    tables,
)
from ma.api.docs import described
from ma.api.measured import Measured, Requests
from ma.api.routing import Turn
from ma.db.engine import Database

# Of each kind of turn. Python computes one thing at a time: with more of them each waits longer and fewer are
# answered (bench/api.py).
AT_ONCE = 4
ROUTERS = (
    auth.open_router,
    auth.router,
    customers.router,
    customers.long_router,
    segments.router,
    segments.long_router,
    campaigns.router,
    campaigns.long_router,
    analytics.router,
    tables.router,
    intake.router,
    health.router,
    metrics.router,
    docs.router,
)


def create_app(database: Callable[[], Database]) -> FastAPI:
    """The application on the database that `database` gives; nothing is opened before the first request."""
    app = FastAPI(
        title="Marketing workbench",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # Ours, for what the router itself refuses; everything else is told by the routes.
        exception_handlers={HTTPException: _refused, RequestValidationError: _refused},
    )
    app.state.database = database
    app.state.requests = Requests()
    app.add_middleware(Measured, requests=app.state.requests)
    app.state.turns = {kind: asyncio.Semaphore(AT_ONCE) for kind in Turn}
    for router in ROUTERS:
        app.include_router(router)
    app.openapi = lambda: described(app)
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    return problems.response(error)
