"""The documentation page: Swagger UI from files of a wheel, since a plant may have no internet."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

_OWN: Final = Path(__file__).parent / "static"
_ALLOWED: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'"
)
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FactoryOps API</title>
<link rel="icon" type="image/png" href="{root}/docs/swagger/favicon.png">
<link rel="stylesheet" href="{root}/docs/swagger/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-document="{root}/openapi.json"></div>
<script src="{root}/docs/swagger/swagger-ui-bundle.js"></script>
<script src="{root}/docs/own/docs.js"></script>
</body>
</html>
"""


def add_pages(app: FastAPI) -> None:
    """Puts the page at /docs, with what it needs below it."""
    swagger = Path(str(files(fastapi_offline))) / "static"
    app.add_route("/docs", _page, methods=["GET"])
    app.mount("/docs/swagger", StaticFiles(directory=swagger))
    app.mount("/docs/own", StaticFiles(directory=_OWN))


async def _page(request: Request) -> HTMLResponse:
    root = str(request.scope.get("root_path", "")).rstrip("/")
    return HTMLResponse(_PAGE.format(root=root), headers={"Content-Security-Policy": _ALLOWED})
