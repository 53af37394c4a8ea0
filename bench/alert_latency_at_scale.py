"""From a machine's message to alert and mail with 5,000 devices and 200 rules: broker, ingester, loader, evaluator, outbox, SMTP server."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from aiosmtpd.controller import Controller
from sqlalchemy import func, select, update

from bench.alert_load import MARKER, due_at
from bench.ingest_plant import PASSWORD, USER, IngestPlant, cpu_s, expect, free_port, line, peak_mb, say, start
from tests.fixtures.mail import SmtpServer
from warehouse.log_watch import LogWatch
from warehouse.models.alerting import Alert, AlertRaise, Notification, Rule
from warehouse.models.people import Factory, User
from warehouse.tenancy import system_session

DEVICES: Final = 5_000
RULES: Final = 200
RATES: Final = (50, 1_000)
SECONDS: Final = 60
"""Some hand-overs of the evaluator's lease, and more snapshots of what it remembers."""
WARM_UP_S: Final = 3
ALERTS_PER_S: Final = 5
LOOK_EVERY_S: Final = 0.002
COMES_WITHIN_S: Final = 30
BUDGETS: Final = [
    {"figure": "alert_p95_at_50_s", "limit": "< 0.03"},
    {"figure": "alert_p95_at_1000_s", "limit": "< 0.1"},
    {"figure": "mail_p95_at_50_s", "limit": "< 1.0"},
    {"figure": "mail_p95_at_1000_s", "limit": "< 1.0"},
    {"figure": "alerts_lost_or_doubled", "limit": "<= 0"},
    {"figure": "mails_lost_or_doubled", "limit": "<= 0"},
]
_TEMPERATURES: Final = ("spindle_temp", "vibration", "load")
_OTHERS: Final = ("voltage", "current", "power", "rpm")


@dataclass
class AlertWatch:
    """Looks from outside, as a page would: when did each alert become visible to another process? A context manager."""

    plant: IngestPlant
    seen: dict[datetime, float] = field(default_factory=dict)
    """By device time: seconds from then until it was seen."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begins to look."""
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(10)

    def _watch(self) -> None:
        # In plain SQL: what looks must not be what is measured.
        watch, connection, last = LogWatch(self.plant.db), self.plant.db.engine.raw_connection(), 0
        cursor = connection.cursor()
        while not self._stop.wait(LOOK_EVERY_S):
            if not watch.changed():
                continue
            found = cursor.execute("SELECT id, raised_at FROM alert_raises WHERE id > ? ORDER BY id", (last,)).fetchall()
            now = datetime.now(UTC)
            for alert_id, text in found:
                last, raised_at = alert_id, datetime.fromisoformat(text).replace(tzinfo=UTC)
                self.seen[raised_at] = (now - raised_at).total_seconds()
        connection.close()
        watch.close()


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """One installation, 60 s at each rate."""
    notes = [
        f"{DEVICES} machines, 8 parameters, {RULES} rules that watch all of them, {ALERTS_PER_S} alerts a second, each on another machine.",
        "From the moment at which a message was due (its device time) until another process sees the alert, or SMTP has taken the mail.",
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before the first message: above 1 the figures are not ours alone.",
    ]
    with (
        tempfile.TemporaryDirectory(prefix="factoryops-scale-") as folder,
        _mail_server() as mails,
        IngestPlant(Path(folder) / "home", devices=DEVICES) as plant,
    ):
        _add_records(plant)
        plant.start_processes()
        plant.start_evaluator(SMTP_HOST=mails.host, SMTP_PORT=str(mails.port), NOTIFICATION_LIMIT_PER_10_MINUTES="0")
        figures = _figures(plant, mails, progress)
    return {"figures": figures, "budgets": BUDGETS, "notes": notes}


def _figures(plant: IngestPlant, mails: SmtpServer, progress: Callable[[str], None]) -> dict[str, float]:
    figures: dict[str, float] = {}
    missing = 0
    with AlertWatch(plant) as watch:
        progress("until everything is at work")
        _published(plant, watch, 50, WARM_UP_S)
        for rate in RATES:
            progress(f"{rate} messages a second for {SECONDS} s")
            found, lost = _measured(plant, watch, rate)
            figures, missing = figures | found, missing + lost
    raised = _raised(plant)
    figures["alerts_lost_or_doubled"] = missing + len(raised) - len(set(raised))
    figures["mails_lost_or_doubled"] = abs(len(mails.mails) - _count_alerts(plant))
    figures["evaluator_peak_mb"] = peak_mb(plant.ours["evaluate"].pid)
    return figures


def _measured(plant: IngestPlant, watch: AlertWatch, rate: int) -> tuple[dict[str, float], int]:
    """Figures of one rate, and how many alerts did not come."""
    with system_session(plant.db, "benchmark", write=True) as session:
        # So that each alert of this round is a new one, of which people are told, and not a repeat.
        session.execute(update(Alert).where(Alert.resolved_at.is_(None)).values(resolved_at=datetime.now(UTC)))
    before = {name: cpu_s(process.pid) for name, process in plant.ours.items()}
    began = time.monotonic()
    wanted, late_s = _published(plant, watch, rate, SECONDS)
    took_s = time.monotonic() - began
    alerts = [watch.seen[at] for at in wanted if at in watch.seen]
    mails = _mail_delays(plant, wanted)
    figures = {
        f"{what}_p{q}_at_{rate}_s": _quantile(times, q) for what, times in (("alert", alerts), ("mail", mails)) for q in (50, 95, 99)
    }
    figures |= {f"{name}_core_share_at_{rate}": round((cpu_s(p.pid) - before[name]) / took_s, 3) for name, p in plant.ours.items()}
    return {**figures, f"alerts_at_{rate}": len(alerts), f"send_late_most_at_{rate}_s": round(late_s, 4)}, len(wanted) - len(alerts)


def _published(plant: IngestPlant, watch: AlertWatch, rate: int, seconds: int) -> tuple[list[datetime], float]:
    """Device times at which an alert was due, after all of them came or COMES_WITHIN_S passed; and how late the latest send was."""
    # One more or less than a divisor of the machines' number, so that machines take turns.
    count, every = rate * seconds, rate // ALERTS_PER_S - 1
    arguments = (plant.settings.mqtt_broker_port, USER, count, DEVICES, rate, every)
    load = start("bench.alert_load", *map(str, arguments))
    say(load, PASSWORD)
    expect(load, "ready")
    say(load, "go")
    began_at = datetime.fromisoformat(line(load))
    wanted = [due_at(began_at, number, rate) for number in range(0, count, every)]
    late_s = float(line(load))
    load.communicate()
    deadline = time.monotonic() + COMES_WITHIN_S
    while time.monotonic() < deadline and not watch.seen.keys() >= set(wanted):
        time.sleep(0.1)
    return wanted, late_s


def _mail_delays(plant: IngestPlant, wanted: list[datetime]) -> list[float]:
    """Seconds from the device time until the SMTP server had the mail, when the last one was sent."""
    deadline, due = time.monotonic() + COMES_WITHIN_S, set(wanted)
    question = select(Alert.triggered_at, Notification.sent_at).join(Notification, Notification.alert_id == Alert.id)
    while True:
        with system_session(plant.db, "benchmark") as session:
            sent = {at: sent_at for at, sent_at in session.execute(question) if at in due}
        if time.monotonic() > deadline or (sent.keys() == due and all(sent.values())):
            return [(sent_at - at).total_seconds() if (sent_at := sent.get(at)) else float(COMES_WITHIN_S) for at in wanted]
        time.sleep(0.2)


def _raised(plant: IngestPlant) -> list[datetime]:
    with system_session(plant.db, "benchmark") as session:
        return list(session.scalars(select(AlertRaise.raised_at)))


def _count_alerts(plant: IngestPlant) -> int:
    with system_session(plant.db, "benchmark") as session:
        return session.scalar(select(func.count(Alert.id))) or 0


def _add_records(plant: IngestPlant) -> None:
    """Somebody to be told, and the rules: one that the marker meets each time, and others that two comparisons rule out."""
    with system_session(plant.db, "set up a benchmark", write=True) as session:
        factory_id = session.scalars(select(Factory.id)).one()
        session.add(User(factory_id=factory_id, email="chief@bench.example", hashed_password="!"))  # noqa: S106  # no hash: nobody signs in
        common = {"factory_id": factory_id, "scope": "global", "severity": "high"}
        wanted = {"parameter": MARKER, "operator": "gt", "threshold": 0}
        session.add(Rule(name="Marker", conditions=wanted, cooldown_minutes=0, **common))
        session.add_all(Rule(name=f"Rule {number}", conditions=tree, **common) for number, tree in enumerate(_never_met(RULES - 1)))


def _never_met(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        first, second = _TEMPERATURES[number % len(_TEMPERATURES)], _OTHERS[number % len(_OTHERS)]
        parts = [
            {"parameter": first, "operator": "gte", "threshold": 0},
            {"parameter": second, "operator": "gt", "threshold": 1_000_000 + number},
        ]
        yield {"operator": "AND", "conditions": parts}


@contextmanager
def _mail_server() -> Iterator[SmtpServer]:
    server = SmtpServer("127.0.0.1", free_port())
    controller = Controller(server, hostname=server.host, port=server.port)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()


def _quantile(seconds: list[float], percent: int) -> float:
    return round(float(np.percentile(seconds, percent)), 4) if seconds else float(COMES_WITHIN_S)
