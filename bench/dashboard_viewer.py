"""One open page of the dashboards without a browser: a websocket that speaks Streamlit's protocol, and answers as a browser tab does."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final, Self

import httpx
from websockets.asyncio.client import ClientConnection, connect

from dashboards.wire import BackMsg, ForwardMsg

ANSWERS_WITHIN_S: Final = 60
FAILED: Final = "This part of the page could not be shown"
KEEPS_RUNS: Final = 2
"""For so many runs a browser remembers large messages, and says so; the server then names them instead of sending them."""


def sign_in(url: str, factory_id: int, email: str, password: str) -> str:
    """The cookie of a new session. Raises RuntimeError when the person is not let in."""
    form = {"factory": str(factory_id), "email": email, "password": password}
    answer = httpx.post(f"{url}/session/login", data=form, timeout=ANSWERS_WITHIN_S)
    cookies = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
    if answer.status_code != 303 or not cookies:
        raise RuntimeError(f"signing in answered {answer.status_code}: {answer.text[:300]}")
    return cookies


@dataclass
class Viewer:
    """Somebody who looks at one page of `url`, such as `machine` with the query `device=M001`; an asynchronous context manager."""

    url: str
    cookie: str = field(repr=False)
    page: str = ""
    query: str = ""
    fragments: dict[str, float] = field(default_factory=dict)
    """Parts that draw themselves anew, with their interval in seconds, as the server announced them."""
    received_bytes: int = 0
    parts: int = 0
    """Parts of the page that the last run sent, or named because the browser has them."""

    def __post_init__(self) -> None:
        self._socket: ClientConnection | None = None
        self._page_hash = ""
        self._kept: list[set[str]] = []

    async def __aenter__(self) -> Self:
        address = f"{self.url.replace('http', 'ws', 1)}/_stcore/stream"
        headers = {"Cookie": self.cookie, "Origin": self.url}
        protocols = ["streamlit"]
        self._socket = await connect(address, additional_headers=headers, subprotocols=protocols, max_size=None, proxy=None)  # type: ignore[arg-type]  # plain strings are what it takes
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket is not None:
            await self._socket.close()

    async def load(self) -> float:
        """Runs the whole page; seconds until it is drawn."""
        return await self._run("")

    async def refresh(self, fragment: str) -> float:
        """Runs one of `fragments`; seconds until it is drawn."""
        return await self._run(fragment)

    async def _run(self, fragment: str) -> float:
        asked = BackMsg()
        state = asked.rerun_script
        state.query_string, state.page_name, state.page_script_hash = self.query, self.page, self._page_hash
        state.context_info.timezone, state.context_info.locale, state.context_info.url = "UTC", "en", self.url
        state.context_info.color_scheme = "light"
        state.cached_message_hashes.extend(set().union(*self._kept))
        if fragment:
            state.fragment_id, state.is_auto_rerun = fragment, True
        if self._socket is None:
            raise RuntimeError("use `async with`")
        began = time.perf_counter()
        await self._socket.send(asked.SerializeToString())
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await self._until_drawn(self._socket)
        return time.perf_counter() - began

    async def _until_drawn(self, socket: ClientConnection) -> None:
        """Takes messages until the run is over. Raises RuntimeError when a part of the page failed."""
        kept: set[str] = set()
        self.parts = 0
        while True:
            data = await socket.recv(decode=False)
            self.received_bytes += len(data)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._page_hash = message.new_session.page_script_hash
            elif kind == "auto_rerun":
                self.fragments[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "stop_auto_rerun":
                for gone in message.stop_auto_rerun.fragment_ids:
                    self.fragments.pop(gone, None)
            elif kind in {"delta", "ref_hash"}:
                self.parts += 1
                element = message.delta.new_element
                if element.WhichOneof("type") == "exception" or FAILED in element.html.body:
                    raise RuntimeError(f"part of the page failed: {element.exception.message or element.html.body}")
                if kind == "ref_hash":
                    kept.add(message.ref_hash)
                elif message.metadata.cacheable:
                    kept.add(message.hash)
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                self._kept = [*self._kept, kept][-KEEPS_RUNS * max(len(self.fragments), 1) :]
                return
