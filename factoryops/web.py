"""One ASGI server on one port: sign-in, dashboards (Streamlit), REST API, health, metrics."""

import threading
import time
from typing import Final

import structlog
import uvicorn
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app as create_api
from dashboards import resources
from dashboards import server as dashboards_server
from dashboards.static_files import STATIC, stylesheet
from factoryops.account_pages import AccountPages
from factoryops.guard import SessionCache, SessionGuard
from factoryops.headers import SecurityHeaders
from factoryops.health import SystemRoutes
from factoryops.oidc_pages import OidcPages
from factoryops.page_shell import PageShell
from factoryops.sign_in_page import SignInPage
from factoryops.web_figures import Counting, WebFigures
from warehouse.access.limits import RateLimit
from warehouse.access.second_factor import reseal
from warehouse.installation import Installation
from warehouse.settings import Settings

STOP_WITHIN_S: Final = 5
COMPRESSED_FROM_BYTES: Final = 1000
log = structlog.get_logger()


def create_app(installation: Installation) -> ASGIApp:
    """The whole web side of an installation as one ASGI application. One a process: Streamlit keeps process-wide state."""
    resources.install(installation)
    sessions, settings = SessionCache(installation), installation.settings
    limit, figures = RateLimit(settings.sign_in_requests_per_minute), WebFigures()
    pages = dashboards_server.create_app(
        routes=[
            *SignInPage(installation, sessions, limit).routes(),
            *AccountPages(installation, limit).routes(),
            *OidcPages(installation, limit).routes(),
            *SystemRoutes(installation, figures).routes(),
            Route("/assets/app.css", _stylesheet, methods=["GET"]),
            Mount("/assets", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Counting, figures=figures),
            Middleware(SecurityHeaders, app_url=settings.app_url),
            Middleware(SessionGuard, sessions=sessions),
            Middleware(PageShell),
        ],
    )
    return BesidePages(create_api(installation), pages, settings.app_url)


class BesidePages:
    """The REST API under /api beside the pages: it needs none of the ten layers that stand before them.

    It guards itself; headers and compression are those of the pages. Start and end of the process are told to the pages.
    """

    def __init__(self, api: ASGIApp, pages: ASGIApp, app_url: str) -> None:
        self.pages = pages
        self.mount = Mount("/api", SecurityHeaders(GZipMiddleware(api, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=6), app_url))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on to where it belongs."""
        if scope["type"] == "http" and scope["path"].startswith("/api/"):
            match, inside = self.mount.matches(scope)
            if match is Match.FULL:
                scope.update(inside)
                await self.mount.handle(scope, receive, send)
                return
        await self.pages(scope, receive, send)


def run(settings: Settings, stop_event: threading.Event | None = None) -> None:
    """Serves until `stop_event` is set or a signal arrives; ends the process with status 1 when the port is taken."""
    installation = Installation.open(settings)
    if settings.jwt_secret_key_previous.get_secret_value():
        log.info("second_factors_sealed_again", count=reseal(installation.db, settings))
    config = uvicorn.Config(
        create_app(installation),
        host=settings.web_host,
        port=settings.web_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=settings.web_trusted_proxies,
        ws_ping_interval=20,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    web_server = uvicorn.Server(config)
    if stop_event is not None:
        threading.Thread(target=_stop_when, args=(web_server, stop_event), name="web-stop", daemon=True).start()
    log.info("web_starting", host=settings.web_host, port=settings.web_port)
    try:
        web_server.run()
    finally:
        installation.close()


def _stop_when(server: uvicorn.Server, stop_event: threading.Event) -> None:
    stop_event.wait()
    server.should_exit = True
    # Browsers hold their websockets open for ever: after a moment they are cut.
    time.sleep(STOP_WITHIN_S)
    server.force_exit = True


async def _stylesheet(request: Request) -> Response:
    lasting = "public, max-age=31536000, immutable" if "v" in request.query_params else "no-cache"
    return Response(stylesheet(), media_type="text/css", headers={"cache-control": lasting})
