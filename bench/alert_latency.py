"""From a machine's message to alert, live value, mail and history, through a real broker at 50 and 200 messages a second."""

import os
import socket
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import func, select, update

from bench.latency_plant import LatencyPlant, wait_until_flowing
from warehouse.errors import LakeBusyError
from warehouse.lake import Lake
from warehouse.log_watch import LogWatch
from warehouse.models.alerting import Alert, AlertRaise, Notification
from warehouse.tenancy import system_session

DEVICES: Final = 20
RATES: Final = (50, 200)
SECONDS: Final = 40
"""Two hand-overs of the evaluator's lease."""
ALERTS_PER_S: Final = 5
LOOK_EVERY_S: Final = 0.005
LOOK_AT_LAKE_EVERY_S: Final = 0.1
RESOLVE_EVERY_S: Final = 0.5
COMES_WITHIN_S: Final = 20
BUDGETS: Final = [
    {"figure": f"{what}_at_{rate}_s", "limit": limit}
    for rate in RATES
    for what, limit in (("alert_p95", "< 0.15"), ("live_p99", "< 0.3"), ("history_p99", "< 2.5"), ("mail_p95", "< 1.0"))
]
Times = dict[str, list[tuple[datetime, float]]]
"""By machine: device time, and seconds until it was seen."""


@dataclass
class Observer:
    """Looks from outside, as a page would: when did a row become visible to another process?"""

    plant: LatencyPlant
    sent: dict[int, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """Device times by device id, in order."""
    alerts: dict[datetime, float] = field(default_factory=dict)
    live: list[float] = field(default_factory=list)
    history: list[float] = field(default_factory=list)
    flowing: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    _last_alert: int = 0
    _seen: dict[str, dict[int, int]] = field(default_factory=lambda: {"live": defaultdict(int), "history": defaultdict(int)})

    def watch_database(self) -> None:
        """Looks for alerts and live values after each commit, until stopped. In plain SQL: what looks must not be what is measured."""
        watch, connection = LogWatch(self.plant.db), self.plant.db.engine.raw_connection()
        cursor = connection.cursor()
        while not self.stop.wait(LOOK_EVERY_S):
            if watch.changed():
                self._look_at_database(cursor)
        connection.close()
        watch.close()

    def watch_lake(self) -> None:
        """Looks into the lake ten times a second, until stopped."""
        lake = Lake(self.plant.settings)
        newest = "SELECT device_id, max(ts) AS ts FROM telemetry WHERE parameter = 'speed' GROUP BY device_id"
        while not self.stop.wait(LOOK_AT_LAKE_EVERY_S):
            try:
                found = lake.reader(self.plant.factory_id).query(newest)
            except LakeBusyError:
                continue  # the loader has not made it yet
            self._saw("history", self.history, dict(found.rows()))
        lake.close()

    def rest(self) -> int:
        """How many messages of the run are not in the history yet."""
        return sum(len(times) - self._seen["history"][device_id] for device_id, times in self.sent.items())

    def _look_at_database(self, cursor: Any) -> None:
        alerts = cursor.execute("SELECT id, raised_at FROM alert_raises WHERE id > ? ORDER BY id", (self._last_alert,)).fetchall()
        live = cursor.execute("SELECT device_id, ts FROM latest_values WHERE parameter_key = 'speed'").fetchall()
        now = datetime.now(UTC)
        for alert_id, text in alerts:
            self._last_alert, triggered_at = alert_id, _utc(text)
            self.alerts[triggered_at] = (now - triggered_at).total_seconds()
            self.flowing.set()
        self._saw("live", self.live, {device_id: _utc(text) for device_id, text in live})

    def _saw(self, what: str, latencies: list[float], newest: dict[int, datetime]) -> None:
        now, seen = datetime.now(UTC), self._seen[what]
        for device_id, ts in newest.items():
            times = self.sent.get(device_id, [])
            while seen[device_id] < len(times) and times[seen[device_id]] <= ts:
                latencies.append((now - times[seen[device_id]]).total_seconds())
                seen[device_id] += 1


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Starts a small installation with 20 machines and 200 rules for each rate, and measures it for 40 s."""
    figures: dict[str, float] = {}
    notes = [
        f"{DEVICES} machines, 7 parameters, 200 rules, {ALERTS_PER_S} alerts a second; QoS 1 through mosquitto; SQLite with full fsync.",
        "From the machine's time stamp until another process sees the row (alert, live value, history) or the mail is marked sent.",
        "Includes hand-overs of the evaluator's lease between two ticks.",
    ]
    notes.append(
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before the first message: above 1 the figures are not ours alone."
    )
    for rate in RATES:
        with tempfile.TemporaryDirectory(prefix="factoryops-latency-") as folder:
            figures |= _measured(Path(folder) / "home", rate, progress)
    return {"figures": figures, "budgets": BUDGETS, "notes": notes}


def _measured(home: Path, rate: int, progress: Callable[[str], None]) -> dict[str, float]:
    with LatencyPlant(home, _free_port(), DEVICES) as plant:
        observer = Observer(plant)
        works = (observer.watch_database, observer.watch_lake, lambda: _resolve(plant, observer.stop))
        threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in threads:
            thread.start()
        wait_until_flowing(plant, observer.flowing)
        progress(f"{rate} messages a second for {SECONDS} s")
        wanted = _publish(plant, observer, rate)
        _wait(lambda: observer.rest() == 0 and wanted <= observer.alerts.keys(), progress)
        lost = len(wanted - observer.alerts.keys())
        mails = _mail_latencies(plant, wanted)
        observer.stop.set()
        for thread in threads:
            thread.join(10)
        plant.check_alive()
        doubled = _doubled(plant)
    alerts = [seconds for at, seconds in observer.alerts.items() if at in wanted]
    found = {"alert": alerts, "live": observer.live, "history": observer.history, "mail": mails}
    figures = {f"{what}_p{q}_at_{rate}_s": _quantile(times, q) for what, times in found.items() for q in (50, 95, 99)}
    sent = sum(len(times) for times in observer.sent.values())
    return {**figures, f"messages_at_{rate}": sent, f"alerts_at_{rate}": len(alerts), f"alerts_lost_or_doubled_at_{rate}": lost + doubled}


def _publish(plant: LatencyPlant, observer: Observer, rate: int) -> set[datetime]:
    """Publishes evenly; gives the device times at which an alert is due."""
    wanted, began = set(), time.monotonic()
    for number in range(rate * SECONDS):
        pause_s = began + number / rate - time.monotonic()
        if pause_s > 0:
            time.sleep(pause_s)
        wants_alert = is_alert(number, rate // ALERTS_PER_S)
        at = plant.publish(number, wants_alert=wants_alert)
        observer.sent[plant.device_ids[plant.device_keys[number % DEVICES]]].append(at)
        if wants_alert:
            wanted.add(at)
    return wanted


def is_alert(number: int, step: int) -> bool:
    """True for one message of each `step`, so that the machines take turns."""
    turn = number // step
    return number % step == turn // max(1, DEVICES // step) % step


def _resolve(plant: LatencyPlant, stop: threading.Event) -> None:
    """Ends what is active twice a second, so that each alert is a new one, of which people are told, and not a repeat."""
    while not stop.wait(RESOLVE_EVERY_S):
        with system_session(plant.db, "benchmark", write=True) as session:
            session.execute(update(Alert).where(Alert.resolved_at.is_(None)).values(resolved_at=datetime.now(UTC)))


def _mail_latencies(plant: LatencyPlant, wanted: set[datetime]) -> list[float]:
    """Waits for the last mails; seconds from the machine's time stamp to the mail."""
    deadline = time.monotonic() + COMES_WITHIN_S
    while True:
        with system_session(plant.db, "benchmark") as session:
            rows = session.execute(
                select(Alert.triggered_at, Notification.sent_at).join(Notification, Notification.alert_id == Alert.id)
            ).all()
        due = [(at, sent_at) for at, sent_at in rows if at in wanted]
        if all(sent_at for _, sent_at in due) or time.monotonic() > deadline:
            return [(sent_at - at).total_seconds() if sent_at else float(COMES_WITHIN_S) for at, sent_at in due]
        time.sleep(0.2)


def _doubled(plant: LatencyPlant) -> int:
    with system_session(plant.db, "benchmark") as session:
        total = session.scalar(select(func.count(AlertRaise.id))) or 0
        moments = session.scalar(select(func.count(func.distinct(AlertRaise.raised_at)))) or 0
    return total - moments


def _wait(is_over: Callable[[], bool], progress: Callable[[str], None]) -> None:
    deadline = time.monotonic() + COMES_WITHIN_S
    while not is_over():
        if time.monotonic() > deadline:
            progress("not everything came through in time")
            return
        time.sleep(0.1)


def _utc(text: str) -> datetime:
    """A moment as SQLite keeps it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _quantile(seconds: list[float], percent: int) -> float:
    return round(float(np.percentile(seconds, percent)), 4) if seconds else float(timedelta(days=1).total_seconds())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
