"""Mails, against a real SMTP server, and as files."""

import smtplib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from rules.notify.channels import Message, ServiceAwayError
from rules.notify.email import MailFolderChannel, SmtpChannel, email_channel
from tests.fixtures.mail import SmtpServer
from tests.helpers import free_port
from tests.rules.notify.waiting import is_sent, only, outbox, raise_alert
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import PermanentError, RetryableError
from warehouse.settings import Settings

MESSAGE = Message(
    notification_id=1,
    alert_id=150,
    channel="email",
    recipient="anna@plant.example",
    subject="[CRITICAL] FactoryOps Alert - Spindle Overheat",
    body="Spindle temperature (82.5°C) exceeded threshold (80°C)\n",
    idempotency_key="alert:150:email:anna@plant.example",
    created_at=datetime(2026, 1, 5, 8, 0, tzinfo=UTC),
    attempt=1,
)


def unix(text: str) -> str:
    """Mails end their lines with CR LF."""
    return text.replace("\r\n", "\n")


def smtp(host: str, port: int, **more: object) -> Settings:
    return Settings(smtp_host=host, smtp_port=port, smtp_from="alerts@factory.example", **more)


@pytest.fixture
def channel(smtp_server: SmtpServer) -> Iterator[SmtpChannel]:
    found = SmtpChannel(smtp(smtp_server.host, smtp_server.port), timeout_s=2)
    yield found
    found.close()


def test_the_mail_as_it_arrives(smtp_server: SmtpServer, channel: SmtpChannel) -> None:
    channel.send(MESSAGE)
    (mail,) = smtp_server.mails
    assert (mail.sender, mail.recipients) == ("alerts@factory.example", ["anna@plant.example"])
    assert (mail.message["Subject"], mail.message["To"]) == (MESSAGE.subject, "anna@plant.example")
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert unix(mail.message.get_content()) == MESSAGE.body


def test_every_try_of_a_message_has_the_same_id_and_another_message_another_one(smtp_server: SmtpServer, channel: SmtpChannel) -> None:
    for message in (MESSAGE, replace(MESSAGE, attempt=2), replace(MESSAGE, idempotency_key="alert:151:email:anna@plant.example")):
        channel.send(message)
    first, second, other = (mail.message["Message-ID"] for mail in smtp_server.mails)
    assert first == second != other


def test_mails_in_a_row_use_one_connection(smtp_server: SmtpServer, channel: SmtpChannel) -> None:
    channel.send(MESSAGE)
    connection = channel._server
    channel.send(MESSAGE)
    assert channel._server is connection
    channel.close()
    channel.send(MESSAGE)
    assert len(smtp_server.mails) == 3


def test_a_server_that_is_busy_may_take_it_later(smtp_server: SmtpServer, channel: SmtpChannel) -> None:
    smtp_server.refuse_with = "451 come back later"
    with pytest.raises(RetryableError, match="answered 451 come back later"):
        channel.send(MESSAGE)
    smtp_server.refuse_with = None
    channel.send(MESSAGE)
    assert len(smtp_server.mails) == 1


def test_a_server_that_refuses_for_good_is_believed(smtp_server: SmtpServer, channel: SmtpChannel) -> None:
    smtp_server.refuse_with = "550 no such person here"
    with pytest.raises(PermanentError, match="answered 550 no such person here"):
        channel.send(MESSAGE)


def test_a_server_that_takes_longer_than_the_timeout_may_be_faster_later(smtp_server: SmtpServer) -> None:
    channel = SmtpChannel(smtp(smtp_server.host, smtp_server.port), timeout_s=0.2)
    smtp_server.delay_s = 0.6
    with pytest.raises(ServiceAwayError, match="did not take the mail"):
        channel.send(MESSAGE)
    smtp_server.delay_s = 0
    channel.send(MESSAGE)
    channel.close()
    # The slow one may have been kept after all: both are the same mail by their Message-ID.
    assert len({mail.message["Message-ID"] for mail in smtp_server.mails}) == 1


def test_a_connection_that_drops_in_the_middle_of_a_mail_is_opened_again(smtp_server: SmtpServer, channel: SmtpChannel) -> None:
    smtp_server.drops = 1
    with pytest.raises(ServiceAwayError):
        channel.send(MESSAGE)
    channel.send(MESSAGE)
    assert len(smtp_server.mails) == 1


def test_the_outbox_brings_a_mail_through_a_refusal_a_dropped_and_a_slow_connection(
    sqlite_database: Database, manual_clock: ManualClock, smtp_server: SmtpServer
) -> None:
    alert = raise_alert(sqlite_database, manual_clock, "anna@plant.example")
    channel = SmtpChannel(smtp(smtp_server.host, smtp_server.port), timeout_s=0.3)
    box = outbox(sqlite_database, manual_clock, channel)
    for trouble in ({"drops": 1}, {"delay_s": 0.6}, {}):
        for name, value in {"drops": 0, "delay_s": 0.0, "refuse_with": None, **trouble}.items():
            setattr(smtp_server, name, value)
        manual_clock.set(max(manual_clock.now(), only(sqlite_database).next_attempt_at))
        status = box.send_next()
    channel.close()
    assert (status, only(sqlite_database).attempts, is_sent(sqlite_database, alert)) == ("sent", 3, True)


def test_a_server_that_is_away_may_come_back() -> None:
    with pytest.raises(RetryableError, match="did not take the mail"):
        SmtpChannel(smtp("127.0.0.1", free_port())).send(MESSAGE)


@contextmanager
def silent_server(greeting: bytes) -> Iterator[int]:
    """Accepts connections, says `greeting` and nothing else; with an empty greeting it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept = []

        def serve() -> None:
            try:
                while True:
                    client, _ = server.accept()
                    client.sendall(greeting)
                    if greeting:
                        kept.append(client)
                    else:
                        client.close()
            except OSError:
                return  # the test is over

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for client in kept:
            client.close()


def test_a_server_that_never_answers_is_given_up_after_the_timeout() -> None:
    with silent_server(b"220 hello\r\n") as port, pytest.raises(RetryableError, match="timed out"):
        SmtpChannel(smtp("127.0.0.1", port), timeout_s=0.3).send(MESSAGE)


def test_a_server_that_hangs_up_may_work_later() -> None:
    with silent_server(b"") as port, pytest.raises(RetryableError):
        SmtpChannel(smtp("127.0.0.1", port), timeout_s=2).send(MESSAGE)


def test_a_connection_that_was_lost_between_two_mails_is_no_reason_to_fail_for_good(smtp_server: SmtpServer, channel: SmtpChannel) -> None:
    channel.send(MESSAGE)
    assert channel._server is not None
    assert channel._server.sock is not None
    channel._server.sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(RetryableError):
        channel.send(MESSAGE)
    channel.send(MESSAGE)


def test_a_password_is_never_sent_unencrypted_to_a_server_that_offers_no_encryption(smtp_server: SmtpServer) -> None:
    channel = SmtpChannel(smtp(smtp_server.host, smtp_server.port, smtp_user="alerts", smtp_password="secret"), timeout_s=2)
    with pytest.raises(PermanentError, match="STARTTLS"):
        channel.send(MESSAGE)
    assert smtp_server.mails == []


@pytest.mark.parametrize("address", ["anna@plant.example\nBcc: all@plant.example", "", "not an address"])
def test_what_is_no_address_is_refused_for_good(smtp_server: SmtpServer, channel: SmtpChannel, address: str) -> None:
    with pytest.raises(PermanentError):
        channel.send(replace(MESSAGE, recipient=address))
    assert smtp_server.mails == []


def test_without_a_mail_server_mails_are_files_that_mail_programs_open(tmp_path: Path) -> None:
    settings = Settings(factoryops_home=tmp_path / "home")
    email_channel(settings).send(MESSAGE)
    (file,) = settings.mail_folder.iterdir()
    assert file.name.startswith("2026-01-05T08-00-00-alert-150-")
    assert file.suffix == ".eml"
    mail = message_from_bytes(file.read_bytes(), policy=default)
    assert (mail["Subject"], mail["To"], unix(mail.get_content())) == (MESSAGE.subject, "anna@plant.example", MESSAGE.body)


def test_a_repeated_mail_is_the_same_file_and_another_persons_is_another(tmp_path: Path) -> None:
    channel = MailFolderChannel(tmp_path, "alerts@factory.example")
    for message in (
        MESSAGE,
        MESSAGE,
        replace(MESSAGE, recipient="bert@plant.example", idempotency_key="alert:150:email:bert@plant.example"),
    ):
        channel.send(message)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_mail_folder_that_cannot_be_written_may_be_mended(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where the folder should be")
    with pytest.raises(RetryableError, match="could not be written"):
        MailFolderChannel(tmp_path / "mail", "alerts@factory.example").send(MESSAGE)


def test_smtp_is_used_once_a_server_is_configured() -> None:
    assert isinstance(email_channel(smtp("mail.example", 587)), SmtpChannel)
    assert isinstance(email_channel(Settings()), MailFolderChannel)


def test_from_a_reading_to_the_mail_in_the_inbox(database: Database, manual_clock: ManualClock, smtp_server: SmtpServer) -> None:
    alert = raise_alert(database, manual_clock, "anna@plant.example", rule_name="Spindle Überhitzt")
    channel = SmtpChannel(smtp(smtp_server.host, smtp_server.port))
    smtp_server.refuse_with = "421 busy"
    box = outbox(database, manual_clock, channel)
    assert box.send_next() == "pending"
    assert "421 busy" in (only(database).last_error or "")
    smtp_server.refuse_with = None
    manual_clock.set(only(database).next_attempt_at)
    assert box.send_next() == "sent"
    channel.close()
    (mail,) = smtp_server.mails
    assert mail.message["Subject"] == "[CRITICAL] FactoryOps Alert - Spindle Überhitzt"
    plain, page = (mail.message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert page is not None
    for part in (plain, page):
        assert f"http://factory.example/alerts?id={alert}" in part.get_content()
    assert is_sent(database, alert)


def test_the_library_still_raises_what_we_sort() -> None:
    assert issubclass(smtplib.SMTPNotSupportedError, smtplib.SMTPException)
    assert issubclass(smtplib.SMTPAuthenticationError, smtplib.SMTPResponseException)
