"""The broker of an installation without one of its own: mosquitto when it is there, else a pure Python one that is for trying out only.

Every device signs in as `<slug>/devices/<device key>` with the key whose hash is in `devices.api_key`, and may publish to its own topic
only. A change of a device reaches the broker within two seconds.
"""

import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, Self

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from ingest import broker_files
from ingest.broker_files import TlsListener
from ingest.credentials import INGESTER_USER, OWN_HOST, ingester_password
from ingest.device_keys import hash_device_key
from ingest.registry import signature
from ingest.stopping import stop_on_signals
from warehouse.db import Database
from warehouse.errors import PermanentError, RetryableError
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.settings import Settings
from warehouse.tenancy import system_session

LOOK_EVERY_S: Final = 1.0
STARTS_WITHIN_S: Final = 10.0
STOPS_WITHIN_S: Final = 3.0
# Debian puts servers where the PATH of ordinary users does not lead.
_FOLDERS_OF_SERVERS: Final = "/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
_DIE_WITH_PARENT: Final = 1
log = structlog.get_logger()


class Broker(Protocol):
    """A broker that runs."""

    host: str
    port: int

    @property
    def is_running(self) -> bool:
        """False once it stopped by itself."""
        ...

    def refresh(self) -> None:
        """Lets it know of devices that were added, changed or removed. Raises the database's own error while it is away."""
        ...

    def stop(self) -> None:
        """Stops it."""
        ...


class Accounts:
    """Who may sign in, as the database has it."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self._db = db
        self.ingester_hash = hash_device_key(ingester_password(settings))
        self._signature: Any = None

    def changed(self) -> list[tuple[str, str, str]] | None:
        """Slug, device key and hash of every active device that has a key; None when nothing changed since the last call."""
        with system_session(self._db, "who may sign in to the broker") as session:
            found = signature(session)
            if found == self._signature:
                return None
            rows = session.execute(
                select(Factory.slug, Device.device_key, Device.api_key)
                .join(Factory, Factory.id == Device.factory_id)
                .where(Device.is_active, Device.api_key.is_not(None))
                .order_by(Device.id)
            )
            devices = [(slug, key, hashed or "") for slug, key, hashed in rows]
        self._signature = found
        return devices


class Mosquitto:
    """A mosquitto process with files of its own in FACTORYOPS_HOME/broker. It dies with the thread that started it."""

    def __init__(self, program: str, settings: Settings, db: Database) -> None:
        self._tls = tls_listener(settings)
        # With certificates, keys of machines need not cross the plant's network in the clear.
        self.host, self.port = OWN_HOST if self._tls else settings.mqtt_listen_host, settings.mqtt_broker_port
        self._certified: tuple[float, ...] = ()
        self._program = program
        self._folder = settings.home / "broker"
        self._accounts = Accounts(settings, db)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Writes the files and starts the process.

        Raises PermanentError when it does not listen within 10 s, or a certificate is missing.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _require_free(self.host, self.port)
        if self._tls is not None:
            _require_readable(self._tls.certificate, self._tls.key)
            _require_free(self._tls.host, self._tls.port, "MQTT_TLS_PORT")
        user, self._certified = getpass.getuser(), _changed_at(self._tls)
        self._write(broker_files.CONFIGURATION, broker_files.configuration(self._folder, self.host, self.port, user, self._tls))
        self._write(broker_files.PERMISSIONS, broker_files.permissions(INGESTER_USER))
        self._write_passwords()
        command = [self._program, "-c", str(self._folder / broker_files.CONFIGURATION)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)  # noqa: PLW1509  # one thread, no locks taken
        if not _until(lambda: not self.is_running or _answers(self.host, self.port), STARTS_WITHIN_S) or not self.is_running:
            self.stop()
            raise PermanentError(f"mosquitto did not start on {self.host}:{self.port}; its reason is in the log above", port=self.port)
        return self

    @property
    def is_running(self) -> bool:
        """False once it stopped by itself."""
        return self._process is not None and self._process.poll() is None

    def refresh(self, *, anyway: bool = False) -> None:
        """Writes the password file anew when a device changed, and has mosquitto read it; devices that may not stay are sent away.

        A renewed certificate is read as well. With `anyway` mosquitto reads its files again in any case.
        """
        certified = _changed_at(self._tls) or self._certified
        renewed, self._certified = certified != self._certified, certified
        if (self._write_passwords() or renewed or anyway) and self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Asks it to save its state and stop, and stops it anyway after 3 s."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write_passwords(self) -> bool:
        devices = self._accounts.changed()
        if devices is None:
            return False
        self._write(broker_files.PASSWORDS, broker_files.passwords(INGESTER_USER, self._accounts.ingester_hash, devices))
        return True

    def _write(self, name: str, text: str) -> None:
        """Puts a complete file in place, for its owner only."""
        draft = self._folder / f"{name}.new"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        draft.replace(self._folder / name)


def tls_listener(settings: Settings) -> TlsListener | None:
    """Where to listen with TLS; None without certificates."""
    if not settings.mqtt_tls_certificate:
        return None
    certificate, key = (Path(name).expanduser().absolute() for name in (settings.mqtt_tls_certificate, settings.mqtt_tls_key))
    return TlsListener(settings.mqtt_listen_host, settings.mqtt_tls_port, certificate, key)


def find_mosquitto() -> str | None:
    """Path of the program; None when it is not installed."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path=_FOLDERS_OF_SERVERS)


def start(settings: Settings, db: Database) -> Broker:
    """Starts the best broker that there is. Call it in the main thread.

    Raises PermanentError when it cannot listen on its address, the database's own error when that is away.
    """
    program = find_mosquitto()
    if program is not None:
        return Mosquitto(program, settings, db).start()
    if settings.mqtt_tls_certificate:
        raise PermanentError("MQTT_TLS_CERTIFICATE needs mosquitto: apt-get install mosquitto, or set MQTT_BROKER_HOST")
    if settings.mqtt_shared_group:
        # The built-in broker speaks MQTT 3.1.1: the ingester would wait for it for ever.
        raise PermanentError("MQTT_SHARED_GROUP needs mosquitto: apt-get install mosquitto, or set MQTT_BROKER_HOST, or empty it")
    log.warning(
        "trial_broker",
        reason="mosquitto is not installed",
        beware="the built-in broker loses messages when it or the ingester restarts; it is for trying out only",
        advice="apt-get install mosquitto, or set MQTT_BROKER_HOST",
    )
    # Imported only where it is needed: it takes a second and most installations never use it.
    from ingest.trial_broker import TrialBroker  # noqa: PLC0415  # see above

    return TrialBroker(settings, Accounts(settings, db)).start()


def run_broker(settings: Settings, stop: threading.Event | None = None) -> None:
    """Runs the broker until `stop` is set; without one, until SIGINT or SIGTERM.

    Raises PermanentError when it cannot start, RetryableError when it stopped by itself.
    """
    stop = stop or stop_on_signals()
    db = Database(settings.operational_url)
    broker = start(settings, db)
    log.info("broker_started", host=broker.host, port=broker.port, kind=type(broker).__name__)
    try:
        while not stop.wait(LOOK_EVERY_S):
            if not broker.is_running:
                raise RetryableError("the broker stopped by itself; its reason is in the log above")
            try:
                broker.refresh()
            except SQLAlchemyError as away:
                log.warning("devices_not_refreshed", problem=str(away)[:200])
    finally:
        broker.stop()
        db.dispose()
        log.info("broker_stopped")


def _die_with_parent() -> None:
    """In the child: ask the kernel for SIGTERM when our process is gone, however it went; without it the port would stay taken."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _changed_at(tls: TlsListener | None) -> tuple[float, ...]:
    """When the certificate and its key were written; none while one of them is not there, as in the middle of a renewal."""
    try:
        return tuple(path.stat().st_mtime for path in (tls.certificate, tls.key)) if tls else ()
    except FileNotFoundError:
        return ()


def _require_readable(*files: Path) -> None:
    for file in files:
        if not os.access(file, os.R_OK):
            raise PermanentError(f"{file} cannot be read; MQTT_TLS_CERTIFICATE and MQTT_TLS_KEY name the broker's certificate and key")


def _require_free(host: str, port: int, setting: str = "MQTT_BROKER_PORT") -> None:
    """Whoever else listens there would be taken for our broker."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as taken:
            advice = f"stop what uses it, or set {setting}"
            raise PermanentError(f"the broker cannot listen on {host}:{port} ({taken.strerror}); {advice}", port=port) from taken


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1" if host == "0.0.0.0" else host, port), timeout=0.5):  # noqa: S104  # compared
            return True
    except OSError:
        return False


def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
