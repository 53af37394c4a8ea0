"""What one address may ask of us: so many requests a minute, and bodies up to a size. Both before anything else is done."""

import re
from typing import Final

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.origin import address_of
from api.problems import problem
from warehouse.access.limits import RateLimit
from warehouse.access.origin import note_address
from warehouse.settings import Settings

SIGN_IN_PATHS: Final = re.compile(r"/v1/(?:auth/(?:login|second-factor|password-reset(?:/confirm)?)|users/accept-invite)$")
"""Where secrets could be guessed. Ends of paths: the API may be mounted below another one."""
FILE_PATHS: Final = re.compile(r"/v1/reports/(?:verify|logo)$")
"""Routes that take whole files and limit them themselves."""


class Limits:
    """Pure ASGI middleware: 429 with Retry-After, and 413."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.requests = RateLimit(settings.api_requests_per_minute)
        self.sign_ins = RateLimit(settings.sign_in_requests_per_minute)
        self.largest_body = settings.api_body_max_kb * 1024

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        note_address(address_of(request))
        wait_s = self._wait_s(request)
        if wait_s:
            refusal = problem(request, 429, f"Too many requests from this address; go on in {wait_s} s.", {"Retry-After": str(wait_s)})
            await refusal(scope, receive, send)
        elif FILE_PATHS.search(scope["path"]):
            await self.app(scope, receive, send)
        elif _announced(scope) > self.largest_body:
            await problem(request, 413, self._too_large_words)(scope, receive, send)
        else:
            await self._counted(scope, receive, send)

    def _wait_s(self, request: Request) -> int:
        address = address_of(request) or ""
        wait_s = self.requests.wait_s(address)
        if not wait_s and request.method == "POST" and SIGN_IN_PATHS.search(request.scope["path"]):
            wait_s = self.sign_ins.wait_s(address)
        return wait_s

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A body that came without its length is counted as it comes."""
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.largest_body:
                raise HTTPException(413, self._too_large_words)
            return message

        await self.app(scope, counted, send)

    @property
    def _too_large_words(self) -> str:
        return f"The body may have {self.largest_body // 1024} kB."


def _announced(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "0")
    return int(length) if length.isdecimal() and len(length) < 19 else 0
