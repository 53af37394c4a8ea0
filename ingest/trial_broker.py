"""A broker in pure Python (amqtt), so that FactoryOps can be tried where mosquitto is not installed. Not for a plant.

It signs devices in and holds them to their topics as mosquitto does, but it acknowledges messages before they are delivered and
forgets them when it or the ingester restarts (measured; see docs/decisions.md). It listens on 127.0.0.1 only.
"""

import asyncio
import threading
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import structlog
from amqtt.broker import Broker as AmqttBroker
from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from ingest.broker_files import is_plain
from ingest.credentials import INGESTER_USER, OWN_HOST
from ingest.device_keys import device_user_name, verify_device_key
from ingest.topics import SUBSCRIPTION
from warehouse.errors import PermanentError
from warehouse.settings import Settings

STARTS_WITHIN_S: Final = 15.0
log = structlog.get_logger()


class SignIn(BaseAuthPlugin):  # type: ignore[misc]  # amqtt has no types
    """Lets in whoever has the right key."""

    hashes: ClassVar[dict[str, str]] = {}
    """By user name. On the class, because amqtt makes the object."""

    @dataclass
    class Config:
        """Nothing to configure."""

    async def authenticate(self, *, session: Session) -> bool | None:
        """Whether user name and password belong together."""
        return verify_device_key(session.password or "", self.hashes.get(session.username or ""))


class OwnTopic(BaseTopicPlugin):  # type: ignore[misc]  # amqtt has no types
    """The ingester reads all telemetry, a device writes its own and nothing else."""

    @dataclass
    class Config:
        """Nothing to configure."""

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        """Whether this session may do this with this topic."""
        user = session.username if session is not None else None
        if action == Action.PUBLISH:
            return user is not None and topic == f"factories/{user}/telemetry"
        return user == INGESTER_USER and (action == Action.RECEIVE or topic == SUBSCRIPTION)


class TrialBroker:
    """amqtt in a thread of this process."""

    def __init__(self, settings: Settings, accounts: Any) -> None:
        self.host, self.port = OWN_HOST, settings.mqtt_broker_port
        self._accounts = accounts
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="trial-broker", daemon=True)
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._problem: Exception | None = None

    def start(self) -> Self:
        """Starts listening. Raises PermanentError when it cannot."""
        self.refresh()
        self._thread.start()
        if not self._ready.wait(STARTS_WITHIN_S) or self._problem is not None:
            raise PermanentError(f"the built-in broker did not start on {self.host}:{self.port}: {self._problem}", port=self.port)
        return self

    @property
    def is_running(self) -> bool:
        """False once it stopped by itself."""
        return self._thread.is_alive()

    def refresh(self) -> None:
        """Reads who may sign in; unlike mosquitto it does not send anybody away who is connected."""
        devices = self._accounts.changed()
        if devices is not None:
            known = {device_user_name(slug, key): hashed for slug, key, hashed in devices if is_plain(slug) and is_plain(key)}
            SignIn.hashes = known | {INGESTER_USER: self._accounts.ingester_hash}

    def stop(self) -> None:
        """Stops listening and ends the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STARTS_WITHIN_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as problem:
            log.exception("trial_broker_failed")
            self._problem = problem
            self._ready.set()
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        plugins: dict[str, dict[str, Any]] = {f"{part.__module__}.{part.__qualname__}": {} for part in (SignIn, OwnTopic)}
        listener = {"type": "tcp", "bind": f"{self.host}:{self.port}"}
        broker = AmqttBroker({"listeners": {"default": listener}, "plugins": plugins}, loop=self._loop)
        await broker.start()
        self._ready.set()
        await self._stop.wait()
        await broker.shutdown()
