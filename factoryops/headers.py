"""Headers that tell browsers what our answers may do. Every answer of the web server gets them."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Streamlit sets styles from scripts, runs WebAssembly for tables and fetches its parts from us; nothing comes from elsewhere.
PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; media-src 'self' blob:; "
    "frame-src 'self' blob: data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
API_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
PLAIN_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
PLAIN_PAGE: Final = {
    "cache-control": "no-store",
    "content-security-policy": PLAIN_POLICY,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
"""For our plain pages outside of Streamlit."""
_ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_TWO_YEARS: Final = "max-age=63072000"


class SecurityHeaders:
    """Pure ASGI middleware. A header that an answer has already stays as it is."""

    def __init__(self, app: ASGIApp, app_url: str) -> None:
        self.app, self.is_tls = app, app_url.startswith("https:")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Adds them to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                headers.setdefault("content-security-policy", _policy_of(scope["path"]))
                if self.is_tls:
                    headers.setdefault("strict-transport-security", _TWO_YEARS)
            await send(message)

        await self.app(scope, receive, dressed)


def _policy_of(path: str) -> str:
    is_data = path.startswith("/api/") and not path.startswith("/api/docs")
    return API_POLICY if is_data else PAGE_POLICY
