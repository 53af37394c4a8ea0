"""Nobody gets past without a session: one ASGI wall round pages, assets of pages and the websocket.

The REST API under /api and a few public paths guard themselves. A websocket lives for hours, so the session is asked for again
as frames arrive: ending it elsewhere ends it here within `CACHE_S` seconds.
"""

import re
import time
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warehouse.access.sessions import Identity, check_session
from warehouse.installation import Installation

COOKIE: Final = "factoryops_session"
CACHE_S: Final = 5.0
SIGN_IN: Final = "/session/login"
# What the browser needs before anybody signed in, and what answers for itself.
PUBLIC: Final = re.compile(
    r"^/(?:session/(?:login|logout|state|code|invitation|forgotten|new-password|oidc/start|oidc/callback)$|assets/|api/|static/|health$|metrics$|favicon\.(?:png|ico)$|manifest\.json$)"
)
LONGEST_TOKEN: Final = 200
_SESSION_ENDED: Final = 4401


@dataclass
class SessionCache:
    """Asks the database for a session at most once in `CACHE_S` seconds, whatever number of frames arrives."""

    installation: Installation
    most: int = 10_000
    _known: dict[str, tuple[float, Identity | None]] = field(default_factory=dict)

    async def check(self, token: str | None, *, is_use: bool) -> Identity | None:
        """Who holds `token`, or None. The answer may be `CACHE_S` seconds old."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        kept = self._known.get(token)
        if kept is not None and time.monotonic() - kept[0] < CACHE_S:
            return kept[1]
        inst = self.installation
        identity = await run_in_threadpool(check_session, inst.db, inst.settings, inst.clock, token, is_use=is_use)
        if len(self._known) >= self.most:
            self._known.clear()
        self._known[token] = (time.monotonic(), identity)
        return identity

    def forget(self, token: str) -> None:
        """The next `check` asks the database."""
        self._known.pop(token, None)


class SessionGuard:
    """Pure ASGI middleware: sends people without a session to the sign-in page, and refuses their websockets."""

    def __init__(self, app: ASGIApp, sessions: SessionCache) -> None:
        self.app = app
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if PUBLIC.match(scope["path"]):
            await self.app(scope, receive, send)
            return
        identity = await self.sessions.check(token_of(scope), is_use=True)
        if identity is None:
            await _refusal(scope)(scope, receive, send)
            return
        scope.setdefault("state", {})["identity"] = identity
        await self.app(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        token = token_of(scope)
        if await self.sessions.check(token, is_use=False) is None:
            await receive()  # the handshake itself, which is then refused with 403
            await send({"type": "websocket.close", "code": _SESSION_ENDED})
            return

        async def checked() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and await self.sessions.check(token, is_use=False) is None:
                await send({"type": "websocket.close", "code": _SESSION_ENDED})
                return {"type": "websocket.disconnect", "code": _SESSION_ENDED}
            return message

        await self.app(scope, checked, send)


def token_of(scope: Scope) -> str | None:
    """The session's secret from the cookie of a request or handshake."""
    for header in Headers(scope=scope).getlist("cookie"):
        try:
            found = SimpleCookie(header).get(COOKIE)
        except CookieError:
            continue
        if found is not None:
            return str(found.value)
    return None


def is_same_origin(headers: Headers, app_url: str) -> bool:
    """Whether a POST came from our own pages. Browsers always send Origin with one; other clients need not."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
    host = origin.partition("://")[2]
    return bool(host) and host in {headers.get("host"), app_url.partition("://")[2].rstrip("/")}


def safe_next(asked: str | None) -> str:
    """Where to go after signing in: a path of ours, or the overview."""
    if asked and re.match(r"^/(?![/\\])[^\x00-\x20\\\x7f]*$", asked) and not asked.startswith("/session/"):
        return asked
    return "/"


def _refusal(scope: Scope) -> Response:
    headers = Headers(scope=scope)
    wants_page = scope["method"] in {"GET", "HEAD"} and (
        headers.get("sec-fetch-mode") == "navigate" or "text/html" in headers.get("accept", "")
    )
    if not wants_page:
        return PlainTextResponse("Sign in first.", 401, headers={"cache-control": "no-store"})
    query = scope.get("query_string", b"").decode("latin-1")
    here = quote(scope["path"], safe="/") + (f"?{query}" if query else "")
    target = SIGN_IN if here == "/" else f"{SIGN_IN}?next={quote(here, safe='/')}"
    return RedirectResponse(target, 303, headers={"cache-control": "no-store"})
