"""Puts our stylesheet, script and title into the one HTML page that Streamlit serves; everything else passes untouched."""

import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboards.static_files import head_and_foot
from factoryops.headers import PAGE_POLICY

_TITLE = re.compile(rb"<title>.*?</title>", re.DOTALL)
_ICON = re.compile(rb'<link rel="(?:shortcut )?icon"[^>]*>')


def dressed(page: bytes) -> bytes:
    """Streamlit's index.html with what is ours in it."""
    head, foot = head_and_foot()
    page = _ICON.sub(b"", _TITLE.sub(b"<title>FactoryOps</title>", page, count=1))
    return page.replace(b"</head>", head + b"</head>", 1).replace(b"</body>", foot + b"</body>", 1)


class PageShell:
    """Pure ASGI middleware, innermost of ours. Only the answer to a page request that is HTML is held back and changed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on and changes the answer if it is the page."""
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"].startswith(("/session/", "/api/", "/assets/", "/static/")):
            await self.app(scope, receive, send)
            return
        # A changed page must not be answered with "not modified", compressed bytes cannot be changed.
        scope["headers"] = [
            (name, value)
            for name, value in scope["headers"]
            if name not in {b"if-none-match", b"if-modified-since", b"accept-encoding", b"range"}
        ]
        held: list[Message] = []
        body = bytearray()

        async def change(message: Message) -> None:
            if message["type"] == "http.response.start":
                if b"text/html" in dict(message["headers"]).get(b"content-type", b""):
                    held.append(message)
                    return
                await send(message)
            elif not held:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if message.get("more_body"):
                    return
                await _send_changed(held[0], dressed(bytes(body)), send)

        await self.app(scope, receive, change)


async def _send_changed(start: Message, page: bytes, send: Send) -> None:
    headers = MutableHeaders(raw=list(start["headers"]))
    for name in ("etag", "last-modified", "accept-ranges"):
        if name in headers:
            del headers[name]
    headers["content-length"] = str(len(page))
    headers["cache-control"] = "no-cache, private"
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "same-origin"
    # Inside a page of somebody else, a click could be made to hit "Resolve".
    headers["content-security-policy"] = PAGE_POLICY
    await send({**start, "headers": headers.raw})
    await send({"type": "http.response.body", "body": page})
