"""What a web process counts of itself: requests by kind and answer, how long they took, who is connected."""

import time
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class WebFigures:
    """Counters of one web process since its start."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "factoryops_web_requests",
            "Requests answered, by kind and class of status",
            ["kind", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "factoryops_web_request_seconds", "Request to end of answer, by kind", ["kind"], buckets=SECONDS, registry=self.registry
        )
        self.browsers = Gauge("factoryops_web_browsers", "Open pages: connected websockets", registry=self.registry)


class Counting:
    """ASGI middleware that counts; paths are not told apart, for they hold ids."""

    def __init__(self, app: ASGIApp, figures: WebFigures) -> None:
        self.app, self.figures = app, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""
        if scope["type"] == "websocket":
            with self.figures.browsers.track_inprogress():
                await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = "api" if scope["path"].startswith("/api/") else "page"
        status, began = 500, time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            self.figures.requests.labels(kind, f"{status // 100}xx").inc()
            self.figures.seconds.labels(kind).observe(time.perf_counter() - began)
