"""The REST API: routers put together, errors translated once."""

from fastapi import Depends, FastAPI

from api.conversation import Conversation
from api.dependencies import current_identity
from api.document import DocumentedApi
from api.limits import Limits
from api.pages import add_pages
from api.problems import translate_errors
from api.routers import (
    alerts,
    analysis_results,
    analysis_schedules,
    analytics,
    api_keys,
    audit,
    auth,
    dashboard,
    dead_letters,
    devices,
    factories,
    figures,
    mqtt,
    notifications,
    registration,
    report_schedules,
    reports,
    rules,
    second_factor,
    sessions,
    silences,
    telemetry,
    trials,
    users,
)
from warehouse.access.remembered import RememberedIdentities
from warehouse.installation import Installation


def create_app(installation: Installation) -> FastAPI:
    """The application to mount at /api. Every router needs a signed-in person, except those listed as open."""
    # FastAPI's own documentation page would load its scripts from another host, which a plant without internet cannot reach.
    app = DocumentedApi(title="FactoryOps", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.installation = installation
    app.state.remembered = RememberedIdentities(installation.db, installation.clock)
    for opened in (factories.router, auth.router, users.open_router, mqtt.router):
        app.include_router(opened, prefix="/v1")
    alarms = (alerts.router, silences.router, notifications.router)
    for guarded in (
        devices.router,
        registration.router,
        dead_letters.router,
        telemetry.router,
        figures.router,
        rules.router,
        trials.router,
        users.router,
        *alarms,
        analytics.router,
        analysis_results.router,
        analysis_schedules.router,
        dashboard.router,
        reports.router,
        report_schedules.router,
        sessions.router,
        second_factor.router,
        api_keys.router,
        audit.router,
    ):
        app.include_router(guarded, prefix="/v1", dependencies=[Depends(current_identity)])
    add_pages(app)
    translate_errors(app)
    app.add_middleware(Limits, settings=installation.settings)
    app.add_middleware(Conversation)
    return app
