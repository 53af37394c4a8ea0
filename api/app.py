"""The REST API: routers put together, errors translated once."""

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from api.dependencies import current_identity
from api.routers import alerts, auth, dashboard, devices, factories, notifications, report_schedules, reports, silences
from warehouse.errors import InvalidInputError, NotFoundError, RetryableError
from warehouse.installation import Installation

log = structlog.get_logger()


def create_app(installation: Installation) -> FastAPI:
    """The application to mount at /api. Every router needs a signed-in person, except those listed as open."""
    # The documentation page would load its scripts from another host, which a plant without internet cannot reach.
    app = FastAPI(title="FactoryOps", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.installation = installation
    for opened in (factories.router, auth.router):
        app.include_router(opened, prefix="/v1")
    alarms = (alerts.router, silences.router, notifications.router)
    for guarded in (devices.router, *alarms, dashboard.router, reports.router, report_schedules.router):
        app.include_router(guarded, prefix="/v1", dependencies=[Depends(current_identity)])
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(InvalidInputError, _invalid)
    app.add_exception_handler(RetryableError, _try_again)
    return app


def _not_found(_request: Request, problem: Exception) -> JSONResponse:
    noun = getattr(problem, "noun", "thing")
    return JSONResponse({"detail": f"{str(noun).capitalize()} not found"}, 404)


def _invalid(_request: Request, problem: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(problem)}, 422)


def _try_again(_request: Request, problem: Exception) -> JSONResponse:
    log.warning("api_try_again", problem=str(problem))
    return JSONResponse({"detail": "The history cannot be reached right now; try again in a moment."}, 503, {"Retry-After": "5"})
