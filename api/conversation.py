"""What every request and answer share, whatever the route: an id, and what may be kept of the answer by whom."""

import hashlib
import re
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID: Final = "X-Request-ID"
KEPT_BY_NOBODY: Final = "no-store"
ASK_AGAIN: Final = "private, no-cache"
"""A browser may keep it for this person, and asks with its ETag whether it is still so."""
LARGEST_TAGGED_BYTES: Final = 2 * 1024 * 1024
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")


def request_id_of(scope: Scope) -> str:
    """The id of a request that came through `Conversation`; empty for others."""
    return str(scope.get("state", {}).get("request_id", ""))


class Conversation:
    """Pure ASGI middleware: X-Request-ID in and out and in every log line; Cache-Control, and ETags for JSON that is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, and its answer back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        given = asked.get(REQUEST_ID, "")
        request_id = given if _PLAIN_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id, scope["method"], asked.get("if-none-match", ""))
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self.app(scope, receive, answer.send)


class _Answer:
    """One answer on its way out. JSON that was read is held back until it is whole, because its tag stands before it."""

    def __init__(self, send: Send, request_id: str, method: str, known_tags: str) -> None:
        self._send, self._request_id, self._method, self._known_tags = send, request_id, method, known_tags
        self._held: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Takes one part of the answer."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body" and self._held is not None:
            await self._hold(self._held, message)
        else:
            await self._send(message)

    async def _begin(self, start: Message) -> None:
        headers = MutableHeaders(scope=start)
        headers[REQUEST_ID] = self._request_id
        is_read = self._method in {"GET", "HEAD"} and start["status"] == 200
        headers.setdefault("Cache-Control", ASK_AGAIN if is_read else KEPT_BY_NOBODY)
        headers.add_vary_header("Authorization, Cookie")
        is_small = int(headers.get("content-length", LARGEST_TAGGED_BYTES + 1)) <= LARGEST_TAGGED_BYTES
        if is_read and is_small and headers.get("content-type", "").startswith("application/json"):
            self._held = start
        else:
            await self._send(start)

    async def _hold(self, start: Message, part: Message) -> None:
        self._body += part.get("body", b"")
        if part.get("more_body", False):
            return
        self._held = None
        headers = MutableHeaders(scope=start)
        tag = f'W/"{hashlib.sha256(self._body).hexdigest()[:32]}"'
        headers["ETag"] = tag
        body = bytes(self._body)
        if tag in {known.strip() for known in self._known_tags.split(",")}:
            start["status"], body = 304, b""
            del headers["content-length"], headers["content-type"]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})
