"""The checks of `factoryops doctor` that look at what runs: cursors, signs of life, clocks, the broker's limits, rights in the home."""

import os
import resource
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from factoryops.findings import OK, WARNING, WRONG, Finding
from factoryops.health import LOADER_SHARD, WAITING_TOO_LONG_S
from ingest.bulk_client import SESSION_KEPT_S
from ingest.credentials import ingester_login
from ingest.payloads import MOST_BYTES
from warehouse.errors import FactoryOpsError
from warehouse.heartbeat import heartbeats
from warehouse.installation import Installation
from warehouse.queries.system import Backlog, loader_backlog, system_figures
from warehouse.settings import Settings
from warehouse.tenancy import system_session

CLOCKS_MAY_DIFFER: Final = timedelta(seconds=2)
BROKER_PATIENCE_S: Final = 5.0
FEW_FILES: Final = 4096
_OF_BEHIND: Final = {
    "evaluator": "are Dagster's daemon and code server up (sensors evaluator_0s and evaluator_10s), or `factoryops evaluate`?",
    "loader": "is `factoryops load` up, and does the lake's store take files? Readings wait in the landing log meanwhile",
}


def check_cursors(installation: Installation) -> list[Finding]:
    """Does everybody who reads the landing log get on with it?"""
    now = installation.clock.now()
    try:
        found = dict(system_figures(installation.db, now).consumers)
        found["loader"] = loader_backlog(installation.db, installation.lake, LOADER_SHARD, now)
    except (DBAPIError, FactoryOpsError):
        return [Finding("cursors", OK, "not known while the database or the lake is away")]
    stale = {name: backlog for name, backlog in found.items() if backlog.waiting_s > WAITING_TOO_LONG_S}
    if not stale:
        return [Finding("cursors", OK, f"{len(found)} readers of the landing log are up to date")]
    return [_behind(name, backlog) for name, backlog in sorted(stale.items())]


def _behind(name: str, backlog: Backlog) -> Finding:
    said = f"{name} has not passed {backlog.waiting_batches} batches, the oldest for {backlog.waiting_s:.0f} s"
    return Finding("cursors", WRONG, said, _OF_BEHIND.get(name, f"start {name} again"))


def check_processes(installation: Installation) -> list[Finding]:
    """Does every process that did not say goodbye give signs of life?"""
    now = installation.clock.now()
    try:
        found = {beat.name: beat.state(now) for beat in heartbeats(installation.db)}
    except DBAPIError:
        return [Finding("processes", OK, "not known while the database is away")]
    ill = [
        Finding("processes", WARNING, f"{name}: {state}", f"start {name} again; when it is not to run any more, its entry is harmless")
        for name, state in found.items()
        if state != "ok"
    ]
    return ill or [Finding("processes", OK, f"{', '.join(found)} are well" if found else "none has given a sign of life yet")]


def check_clocks(installation: Installation) -> Finding:
    """Has PostgreSQL's server the time that we have? Leases, sessions and due mails are compared across machines."""
    if installation.db.is_sqlite:
        return Finding("clock of the database", OK, "it is this machine's")
    try:
        with system_session(installation.db, "what time is it there") as session:
            theirs = session.scalars(select(func.clock_timestamp())).one()
    except DBAPIError:
        return Finding("clock of the database", OK, "not known while it is away")
    apart_s = abs((theirs - installation.clock.now()).total_seconds())
    if apart_s > CLOCKS_MAY_DIFFER.total_seconds():
        return Finding(
            "clock of the database", WRONG, f"it differs from ours by {apart_s:.1f} s", "let both machines follow one time server (NTP)"
        )
    return Finding("clock of the database", OK, f"{apart_s:.1f} s apart")


def check_rights(settings: Settings) -> Finding:
    """May this user write everything below the home? A file that root made once stops a process of another user."""
    wrong = [
        path for path in (settings.home, *_below(settings.home)) if not os.access(path, os.W_OK if path.is_file() else os.W_OK | os.X_OK)
    ]
    if wrong:
        some = ", ".join(map(str, wrong[:3]))
        return Finding("permissions", WRONG, f"not writable: {some}", f"run as their owner, or: chown -R $USER {settings.home}")
    return Finding("permissions", OK, "everything in the home is writable")


def _below(home: Path) -> list[Path]:
    """Files and folders of the first two levels that are ours to write; sealed keys are not."""
    first = list(home.iterdir())
    return [path for path in [*first, *(two for one in first if one.is_dir() for two in one.iterdir())] if path.parent.name != "secrets"]


def check_open_files(limit: int | None = None) -> Finding:
    """May a process have as many open files as a broker or a web process with thousands of connections needs?"""
    if limit is None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= limit < FEW_FILES:
        return Finding(
            "open files", WARNING, f"{limit} a process: a broker keeps one for each machine",
            f"ulimit -n {FEW_FILES * 16}, or LimitNOFILE= in the unit of systemd",
        )  # fmt: skip
    return Finding("open files", OK, "as many as needed" if limit < 0 else f"{limit} a process")


def check_broker_limits(settings: Settings) -> Finding:
    """What the broker grants our ingester when it signs in: QoS, sizes, shared subscriptions, how long it keeps our session."""
    try:
        granted = _granted(settings)
    except (OSError, FactoryOpsError) as problem:
        return Finding("broker limits", WARNING, f"not known: {problem}", "is the broker up?")
    if granted is None:
        return Finding("broker limits", WARNING, "not known: no answer to our sign-in", "is the broker up, does it speak MQTT 5?")
    if isinstance(granted, str):
        return Finding("broker limits", WRONG, f"our sign-in was refused: {granted}", "check MQTT_USERNAME and MQTT_PASSWORD")
    complaints = limits_that_hurt(granted, is_shared=bool(settings.mqtt_shared_group))
    if complaints:
        return Finding("broker limits", WRONG, "; ".join(said for said, _ in complaints), "; ".join(fix for _, fix in complaints))
    return Finding(
        "broker limits", OK, "QoS 1, message size, kept session" + (", shared subscription" if settings.mqtt_shared_group else "")
    )


def limits_that_hurt(granted: dict[str, Any], *, is_shared: bool) -> list[tuple[str, str]]:
    """What is too little and what to do, from the properties of a CONNACK; what is not named is not limited. Pure."""
    found = []
    if granted.get("MaximumQoS", 2) < 1:
        found.append(("only QoS 0 is granted: messages would be lost", "allow QoS 1 (EMQX: mqtt.max_qos_allowed)"))
    if granted.get("MaximumPacketSize", MOST_BYTES) < MOST_BYTES:
        found.append(
            (f"messages over {granted['MaximumPacketSize']} bytes are refused", f"allow {MOST_BYTES} bytes (mosquitto: max_packet_size)")
        )
    if is_shared and not granted.get("SharedSubscriptionAvailable", 1):
        found.append(("no shared subscriptions: several ingesters would all get everything", "allow them, or empty MQTT_SHARED_GROUP"))
    if granted.get("SessionExpiryInterval", SESSION_KEPT_S) < SESSION_KEPT_S:
        found.append(
            (f"a session is kept for {granted['SessionExpiryInterval']} s only: what comes while we are away longer is lost",
             f"keep sessions for {SESSION_KEPT_S} s (mosquitto: persistent_client_expiration)")
        )  # fmt: skip
    return found


def _granted(settings: Settings) -> dict[str, Any] | str | None:
    """The properties of the CONNACK, the reason of a refusal, or None when nobody answered. Raises OSError."""
    login, answered = ingester_login(settings), threading.Event()
    granted: list[dict[str, Any] | str] = []
    # A name of our own: the ingester's would throw the ingester out.
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{login.client_id}-doctor", protocol=mqtt.MQTTv5)
    client.username_pw_set(login.username, login.password)

    def connected(_client: object, _data: object, _flags: object, code: Any, properties: Any) -> None:
        granted.append(str(code) if code.is_failure else dict(vars(properties or object)))
        answered.set()

    client.on_connect = connected
    wishes = Properties(PacketTypes.CONNECT)
    wishes.SessionExpiryInterval = SESSION_KEPT_S
    client.connect(login.host, login.port, properties=wishes)
    client.loop_start()
    try:
        answered.wait(BROKER_PATIENCE_S)
        goodbye = Properties(PacketTypes.DISCONNECT)
        goodbye.SessionExpiryInterval = 0
        client.disconnect(properties=goodbye)
    finally:
        client.loop_stop()
    return granted[0] if granted else None
