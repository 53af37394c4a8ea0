"""The dashboards as an ASGI application; `factoryops.web` puts sign-in, API and guard around it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import streamlit
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from dashboards import trouble

SCRIPT: Final = Path(__file__).parent / "app.py"
LARGEST_UPLOAD_MIB: Final = 64
"""What a report to be verified may have; other forms take less and check it themselves."""


def create_app(routes: Sequence[BaseRoute], middleware: Sequence[Middleware]) -> ASGIApp:
    """Streamlit with further routes beside it and middleware around both. One a process: Streamlit keeps process-wide state.

    Raises RuntimeError when Streamlit did not read our configuration.
    """
    app = streamlit.App(SCRIPT, routes=routes, middleware=middleware, on_script_error=trouble.show)
    _check_options()
    return app


def _check_options() -> None:
    """Streamlit finds its configuration beside the script; without it pages would be slow, ugly and would call home."""
    options: dict[str, Any] = {
        "runner.postScriptGC": False,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "server.maxUploadSize": LARGEST_UPLOAD_MIB,
    }
    wrong = {name: found for name, wanted in options.items() if (found := streamlit.get_option(name)) != wanted}
    if wrong:
        message = f"Streamlit did not read {SCRIPT.parent / '.streamlit' / 'config.toml'}: {wrong}"
        raise RuntimeError(message)
