"""The ingester: brings messages from the broker into the operational database. Two threads and a queue between them."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ingest.admission import Admission
from ingest.connection import Connection
from ingest.credentials import Login, ingester_login
from ingest.figures import IngestFigures
from ingest.inbox import Inbox
from ingest.lander import Lander, registry_or_complaint
from ingest.limits import DeviceLimits
from ingest.stopping import stop_on_signals
from warehouse import heartbeat, metrics
from warehouse.clock import Clock, SystemClock
from warehouse.db import Database
from warehouse.errors import RetryableError
from warehouse.heartbeat import Heartbeat
from warehouse.settings import Settings

NAME: Final = "ingester"
STOPS_WITHIN_S: Final = 4.0
LOOK_EVERY_S: Final = 0.25
log = structlog.get_logger()


class Ingester:
    """Everything that one ingester consists of."""

    def __init__(self, settings: Settings, login: Login | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.settings = settings
        self.db = Database(settings.operational_url)
        self.figures = IngestFigures()
        self.inbox = Inbox()
        login = login or ingester_login(settings)
        limits = DeviceLimits(settings.device_messages_per_second)
        self.lander = Lander(self.db, self.figures, self.clock, timedelta(days=settings.raw_retention_days), login.client_id, limits)
        self.connection = Connection(login, self.inbox, self.figures, self.clock, settings.mqtt_shared_group)
        self.admission = Admission(self.db, settings.home, disk_floor_mb=settings.disk_floor_mb, landing_max_mb=settings.landing_max_mb)
        # Several ingesters differ in their client id, by which the broker knows them.
        default = Settings.model_fields["mqtt_client_id"].default
        self.name = NAME if settings.mqtt_client_id == default else f"{NAME} {settings.mqtt_client_id}"

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set, then stops within 4 s: the batch at hand is finished and acknowledged, the rest comes again.

        Raises PermanentError when the database has no tables; a broker or a database that is away is waited for.
        """
        registry_or_complaint(self.lander.registry)
        leave, failed = threading.Event(), threading.Event()
        landing = _thread("landing", failed, partial(self._land, stop))
        network = _thread("network", failed, partial(self.connection.run, leave))
        network.start()
        landing.start()
        log.info("ingester_started", spacing_ms=self.settings.landing_commit_spacing_ms)
        beat_at = 0.0
        while not stop.wait(LOOK_EVERY_S) and not failed.is_set():
            if time.monotonic() >= beat_at:
                self._beat()
                beat_at = time.monotonic() + heartbeat.EVERY.total_seconds()
        stop.set()
        landing.join(STOPS_WITHIN_S / 2)
        leave.set()
        network.join(STOPS_WITHIN_S / 2)
        self._say_goodbye()
        self.db.dispose()
        log.info("ingester_stopped", landed=self.figures.landed(), waiting=len(self.inbox))
        if failed.is_set():
            raise RetryableError("a thread of the ingester failed; the error is in the log above this line")

    def _land(self, stop: threading.Event) -> None:
        spacing_s = self.settings.landing_commit_spacing_ms / 1000
        self.lander.run(self.inbox, self.connection.acknowledge, stop, spacing_s, self.admission.problem)

    def _beat(self) -> None:
        problem = self.lander.problem or self.connection.problem
        self.figures.waiting.set(len(self.inbox))
        try:
            told = [*metrics.process_samples(), *metrics.samples(self.figures.registry)]
            heartbeat.beat(self.db, Heartbeat(self.name, self.clock.now(), problem, told))
        except SQLAlchemyError as away:
            log.warning("heartbeat_failed", problem=str(away)[:200])

    def _say_goodbye(self) -> None:
        try:
            heartbeat.say_goodbye(self.db, self.name)
        except SQLAlchemyError as away:
            log.warning("goodbye_failed", problem=str(away)[:200])


def _thread(name: str, failed: threading.Event, work: Callable[[], None]) -> threading.Thread:
    """A thread whose unexpected error ends the process instead of leaving half of it running."""

    def guarded() -> None:
        try:
            work()
        except Exception:
            log.exception("thread_failed", thread=name)
            failed.set()

    return threading.Thread(target=guarded, name=name, daemon=True)


def run_ingester(settings: Settings, stop: threading.Event | None = None) -> None:
    """Brings in messages until `stop` is set; without one, until SIGINT or SIGTERM. Stops within 5 s and loses nothing.

    Raises PermanentError when the database was never prepared.
    """
    Ingester(settings).run(stop or stop_on_signals())
