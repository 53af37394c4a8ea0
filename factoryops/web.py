"""One ASGI server on one port: sign-in, dashboards (Streamlit), REST API, health, metrics."""

import threading
import time
from pathlib import Path
from typing import Any, Final

import streamlit
import structlog
import uvicorn
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import dashboards
from api.app import create_app as create_api
from dashboards import resources, trouble
from dashboards.assets import STATIC, stylesheet
from factoryops.guard import SessionCache, SessionGuard
from factoryops.health import SystemRoutes
from factoryops.page_shell import PageShell
from factoryops.sign_in_page import SignInPage
from warehouse.installation import Installation
from warehouse.settings import Settings

SCRIPT: Final = Path(dashboards.__file__).parent / "app.py"
STOP_WITHIN_S: Final = 5
log = structlog.get_logger()


def create_app(installation: Installation) -> streamlit.App:
    """The whole web side of an installation as one ASGI application. One a process: Streamlit keeps process-wide state."""
    resources.install(installation)
    sessions = SessionCache(installation)
    app = streamlit.App(
        SCRIPT,
        routes=[
            *SignInPage(installation, sessions).routes(),
            *SystemRoutes(installation).routes(),
            Route("/assets/app.css", _stylesheet, methods=["GET"]),
            Mount("/assets", StaticFiles(directory=STATIC)),
            Mount("/api", create_api(installation)),
        ],
        middleware=[Middleware(SessionGuard, sessions=sessions), Middleware(PageShell)],
        on_script_error=trouble.show,
    )
    _check_streamlit_options()
    return app


def run(settings: Settings, stop_event: threading.Event | None = None) -> None:
    """Serves until `stop_event` is set (or a signal arrives, without one). Raises OSError when the port is taken."""
    installation = Installation.open(settings)
    config = uvicorn.Config(
        create_app(installation),
        host=settings.web_host,
        port=settings.web_port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=True,
        ws_ping_interval=20,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    server = uvicorn.Server(config)
    if stop_event is not None:
        threading.Thread(target=_stop_when, args=(server, stop_event), name="web-stop", daemon=True).start()
    log.info("web_starting", host=settings.web_host, port=settings.web_port)
    try:
        server.run()
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


def _check_streamlit_options() -> None:
    """Streamlit finds its configuration beside the script; without it pages would be slow, ugly and would call home."""
    options: dict[str, Any] = {"runner.postScriptGC": False, "browser.gatherUsageStats": False, "client.showErrorDetails": "none"}
    wrong = {name: found for name, wanted in options.items() if (found := streamlit.get_option(name)) != wanted}
    if wrong:
        message = f"Streamlit did not read {SCRIPT.parent / '.streamlit' / 'config.toml'}: {wrong}"
        raise RuntimeError(message)
