"""With certificates the broker speaks TLS to the plant, and plain MQTT to this machine only; keys of machines end within seconds."""

import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import ValidationError

from ingest import broker as brokers
from ingest import broker_files
from ingest.broker import Mosquitto
from ingest.registration import register, revoke_key, rotate_key
from tests.helpers import free_port, require_program, wait_until
from tests.ingest.conftest import SLUG, Machine, Plant, device_key_of, is_refused
from tests.ingest.processes import BROKER, Process
from warehouse.access.audit import Actor
from warehouse.clock import SystemClock
from warehouse.device_list import DeviceEntry
from warehouse.errors import PermanentError
from warehouse.settings import Settings

TAKES_EFFECT_WITHIN_S = 10.0
PrivateKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Authority:
    """Signs certificates for 127.0.0.1."""

    key: PrivateKey
    certificate: x509.Certificate

    @classmethod
    def made(cls, name: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _signed(name, name, key, key, authority=True))

    def write(self, file: Path) -> Path:
        file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return file

    def issue(self, certificate_file: Path, key_file: Path) -> int:
        """Writes a certificate and its key; returns its serial number."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = self.certificate.subject.rfc4514_string().removeprefix("CN=")
        certificate = _signed("127.0.0.1", issuer, key, self.key)
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        key_file.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
        certificate_file.write_bytes(certificate.public_bytes(pem))
        return certificate.serial_number


def _signed(name: str, issuer: str, key: PrivateKey, by: PrivateKey, *, authority: bool = False) -> x509.Certificate:
    def named(common_name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])

    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(named(name)).issuer_name(named(issuer)).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
    builder = builder.not_valid_after(now + timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(LOOPBACK)]), critical=False)
    return builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True).sign(by, hashes.SHA256())


LOOPBACK = ip_address("127.0.0.1")


@dataclass(frozen=True)
class Secured:
    """A plant whose broker has a certificate."""

    settings: Settings
    broker: Mosquitto
    authority: Authority
    authority_file: Path
    certificate: Path
    key: Path


@pytest.fixture
def secured(plant: Plant, tmp_path: Path) -> Iterator[Secured]:
    program = require_program("mosquitto", package="mosquitto")
    authority, certificate, key = Authority.made("Plant CA"), tmp_path / "broker.pem", tmp_path / "broker.key"
    authority.issue(certificate, key)
    told = {"mqtt_tls_certificate": str(certificate), "mqtt_tls_key": str(key), "mqtt_tls_port": free_port()}
    settings = plant.settings.model_copy(update=told)
    running = Mosquitto(str(program), settings, plant.db).start()
    yield Secured(settings, running, authority, authority.write(tmp_path / "ca.pem"), certificate, key)
    running.stop()


def signs_in(port: int, authority_file: Path, password: str) -> bool:
    """Whether a machine that trusts this authority gets in and is confirmed a message. Raises the error of TLS."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(f"{SLUG}/devices/M01", password)
    client.tls_set(str(authority_file))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        wait_until(client.is_connected, 5)
        sent = client.publish(f"factories/{SLUG}/devices/M01/telemetry", b"{}", 1)
        sent.wait_for_publish(5)
        return sent.is_published()
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.slow
def test_a_machine_that_trusts_our_authority_gets_in_with_tls(secured: Secured) -> None:
    assert signs_in(secured.settings.mqtt_tls_port, secured.authority_file, device_key_of("M01"))


@pytest.mark.slow
def test_a_machine_that_trusts_another_authority_does_not_speak_to_it(secured: Secured, tmp_path: Path) -> None:
    other = Authority.made("Somebody else").write(tmp_path / "other.pem")
    context = ssl.create_default_context(cafile=other)
    with (
        socket.create_connection(("127.0.0.1", secured.settings.mqtt_tls_port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
        context.wrap_socket(plain, server_hostname="127.0.0.1"),
    ):
        pass


@pytest.mark.slow
def test_on_the_port_for_tls_nothing_else_is_spoken(secured: Secured) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(f"{SLUG}/devices/M01", device_key_of("M01"))
    client.connect("127.0.0.1", secured.settings.mqtt_tls_port)
    codes = [client.loop(0.5) for _ in range(4)]
    assert not client.is_connected()
    assert any(codes)
    client.disconnect()
    client.loop_stop()


@pytest.mark.slow
def test_a_renewed_certificate_is_shown_without_a_restart(secured: Secured) -> None:
    def shown() -> int:
        pem = ssl.get_server_certificate(("127.0.0.1", secured.settings.mqtt_tls_port))
        return x509.load_pem_x509_certificate(pem.encode()).serial_number

    before = shown()
    serial = secured.authority.issue(secured.certificate, secured.key)
    assert serial != before
    secured.broker.refresh()
    wait_until(lambda: shown() == serial, 5, "the new certificate is shown")


def test_with_certificates_only_tls_is_spoken_beyond_this_machine(plant: Plant, tmp_path: Path) -> None:
    told = {"mqtt_listen_host": "0.0.0.0", "mqtt_tls_certificate": "c.pem", "mqtt_tls_key": "k.pem", "mqtt_tls_port": 8883}
    settings = plant.settings.model_copy(update=told)
    assert Mosquitto("mosquitto", settings, plant.db).host == "127.0.0.1"
    tls = brokers.tls_listener(settings)
    lines = broker_files.configuration(tmp_path, "127.0.0.1", 1883, "user", tls).splitlines()
    assert [line for line in lines if line.startswith("listener")] == ["listener 1883 127.0.0.1", "listener 8883 0.0.0.0"]
    assert f"certfile {Path('c.pem').absolute()}" in lines
    assert Mosquitto("mosquitto", plant.settings.model_copy(update={"mqtt_listen_host": "0.0.0.0"}), plant.db).host == "0.0.0.0"


def test_a_certificate_that_is_not_there_is_said(plant: Plant, tmp_path: Path) -> None:
    told = {"mqtt_tls_certificate": str(tmp_path / "none.pem"), "mqtt_tls_key": str(tmp_path / "none.key"), "mqtt_tls_port": free_port()}
    with pytest.raises(PermanentError, match=r"none\.pem"):
        Mosquitto("mosquitto", plant.settings.model_copy(update=told), plant.db).start()


def test_a_certificate_without_its_key_is_a_wrong_setting() -> None:
    with pytest.raises(ValidationError, match="MQTT_TLS_KEY"):
        Settings(mqtt_tls_certificate="c.pem")


def test_the_broker_for_trying_out_refuses_to_leave_tls_away(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "find_mosquitto", lambda: None)
    with pytest.raises(PermanentError, match="needs mosquitto"):
        brokers.start(plant.settings.model_copy(update={"mqtt_tls_certificate": "c.pem", "mqtt_tls_key": "k.pem"}), plant.db)


@pytest.mark.slow
def test_new_rotated_and_revoked_keys_take_effect_within_ten_seconds(plant: Plant) -> None:
    """With the broker's own process, as `factoryops up` runs it."""
    require_program("mosquitto", package="mosquitto")
    port, clock, actor = plant.settings.mqtt_broker_port, SystemClock(), Actor(1)

    def gets_in(password: str) -> bool:
        machine = Machine(port, f"{SLUG}/devices/NEW", password)
        wait_until(lambda: machine.client.is_connected() or machine.refused, 5, "the broker answers")
        refused = machine.refused
        machine.close()
        return not refused

    def takes_effect(predicate: object) -> None:
        began = time.monotonic()
        wait_until(predicate, TAKES_EFFECT_WITHIN_S, "the change takes effect", interval_s=0.2)  # type: ignore[arg-type]
        print(f"took effect after {time.monotonic() - began:.1f} s")

    process = Process(plant, BROKER)
    try:
        wait_until(lambda: not is_refused(port), 30, "the broker listens")
        first = register(plant.db, clock, actor, DeviceEntry("NEW")).credentials.password
        takes_effect(lambda: gets_in(first))
        connected = Machine(port, f"{SLUG}/devices/NEW", first)
        wait_until(connected.client.is_connected)
        second = rotate_key(plant.db, clock, actor, "NEW").password
        takes_effect(lambda: connected.refused or not connected.client.is_connected())
        connected.close()
        assert not gets_in(first)
        assert gets_in(second)
        revoke_key(plant.db, clock, actor, "NEW")
        takes_effect(lambda: not gets_in(second))
    finally:
        process.stop()
