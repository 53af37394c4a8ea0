"""The outbox: three tries with growing pauses, nothing twice, reasons kept. On SQLite and on PostgreSQL."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import delete

from rules.evaluation import Evaluator
from rules.notify.channels import Message, NullChannel, ServiceAwayError, TooManyRequestsError
from rules.notify.followup import FollowUp
from rules.notify.outbox import CLAIM, HELD_FOR, JITTER, PAUSES_S, PAUSES_WHILE_AWAY_S, TRIES_WHILE_AWAY, Outbox, run_outbox_tick
from tests.helpers import wait_until
from tests.rules.installation import add_device, add_factory, add_rule, add_user, alerts, land, notifications, readings
from tests.rules.notify.waiting import is_sent, only, outbox, raise_alert
from warehouse.clock import ManualClock, SystemClock
from warehouse.db import Database
from warehouse.errors import PermanentError, RetryableError
from warehouse.models.alerting import Alert
from warehouse.settings import Settings
from warehouse.tenancy import system_session


@dataclass
class Postman:
    """A channel that keeps what it is given, and fails as often as it is told to."""

    failures: list[Exception] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.messages.append(message)

    def close(self) -> None:
        pass


def test_a_message_is_sent_once_and_the_alert_says_so(database: Database, manual_clock: ManualClock) -> None:
    alert, postman = raise_alert(database, manual_clock, "anna@plant.example"), Postman()
    box = outbox(database, manual_clock, postman)
    assert not is_sent(database, alert)
    assert [box.send_next(), box.send_next()] == ["sent", None]
    assert [(m.recipient, m.attempt) for m in postman.messages] == [("anna@plant.example", 1)]
    assert (only(database).status, only(database).sent_at, only(database).last_error) == ("sent", manual_clock.now(), None)
    assert is_sent(database, alert)


def test_the_alert_counts_as_told_only_when_every_message_is_sent(database: Database, manual_clock: ManualClock) -> None:
    alert = raise_alert(database, manual_clock, "anna@plant.example", "bert@plant.example")
    box = outbox(database, manual_clock, Postman())
    box.send_next()
    assert not is_sent(database, alert)
    box.send_next()
    assert is_sent(database, alert)


def test_a_failed_try_is_repeated_after_growing_pauses(database: Database, manual_clock: ManualClock) -> None:
    alert, postman = raise_alert(database, manual_clock, "anna@plant.example"), Postman([RetryableError("away"), RetryableError("away")])
    box = outbox(database, manual_clock, postman)
    assert [box.send_next(), box.send_next()] == ["pending", None]
    manual_clock.advance(timedelta(seconds=PAUSES_S[0]))
    assert [box.send_next(), box.send_next()] == ["pending", None]
    manual_clock.advance(timedelta(seconds=PAUSES_S[1]))
    assert box.send_next() == "sent"
    assert only(database).attempts == 3
    assert is_sent(database, alert)


def test_after_three_tries_a_message_has_failed_with_the_reason(database: Database, manual_clock: ManualClock) -> None:
    alert = raise_alert(database, manual_clock, "anna@plant.example")
    box = outbox(database, manual_clock, Postman([RetryableError(f"away {i}") for i in range(9)]))
    found = []
    for _ in range(5):
        found.append(box.send_next())
        manual_clock.advance(timedelta(minutes=1))
    assert found == ["pending", "pending", "failed", None, None]
    assert (only(database).status, only(database).last_error) == ("failed", "away 2")
    assert not is_sent(database, alert)


def test_what_can_never_work_is_not_tried_again(database: Database, manual_clock: ManualClock) -> None:
    raise_alert(database, manual_clock, "anna@plant.example")
    assert outbox(database, manual_clock, Postman([PermanentError("no such person")])).send_next() == "failed"
    assert (only(database).attempts, only(database).last_error) == (1, "no such person")


def test_a_channel_that_is_not_set_up_is_skipped_with_the_reason(database: Database, manual_clock: ManualClock) -> None:
    alert = raise_alert(
        database, manual_clock, "anna@plant.example", channels={"email": True, "whatsapp": True}, whatsapp_number="+4915112345678"
    )
    box = outbox(database, manual_clock, Postman(), NullChannel("WhatsApp is not set up: TWILIO_ACCOUNT_SID is needed"))
    assert [box.send_next(), box.send_next(), box.send_next()] == ["sent", "skipped", None]
    mail, whatsapp = notifications(database)
    assert (mail.status, whatsapp.status) == ("sent", "skipped")
    assert whatsapp.last_error == "WhatsApp is not set up: TWILIO_ACCOUNT_SID is needed"
    assert is_sent(database, alert)


def test_one_bad_address_does_not_hold_up_the_others(database: Database, manual_clock: ManualClock) -> None:
    raise_alert(database, manual_clock, "bad@plant.example", "anna@plant.example")
    box = outbox(database, manual_clock, Postman([PermanentError("no")]))
    assert [box.send_next(), box.send_next()] == ["failed", "sent"]


def test_a_sender_that_died_after_sending_repeats_at_most_that_one(database: Database, manual_clock: ManualClock) -> None:
    """Killed between sending and marking: the claim runs out, the message goes again under the same key."""
    raise_alert(database, manual_clock, "anna@plant.example", "bert@plant.example")

    class KilledError(BaseException):
        pass

    class Dying(Postman):
        def send(self, message: Message) -> None:
            super().send(message)
            raise KilledError

    postman, dying = Postman(), Dying()
    with pytest.raises(KilledError):
        outbox(database, manual_clock, dying).send_next()
    box = outbox(database, manual_clock, postman)
    assert [box.send_next(), box.send_next()] == ["sent", None]  # the other one; the claimed one is nobody else's
    manual_clock.advance(CLAIM)
    assert [box.send_next(), box.send_next()] == ["sent", None]
    keys = Counter(m.idempotency_key for m in (*dying.messages, *postman.messages))
    assert sorted(keys.values()) == [1, 2]


def test_a_message_whose_senders_died_three_times_is_given_up_and_not_sent_for_ever(database: Database, manual_clock: ManualClock) -> None:
    raise_alert(database, manual_clock, "anna@plant.example")

    class KilledError(BaseException):
        pass

    postman = Postman()
    for _ in range(3):
        with pytest.raises(KilledError):
            outbox(database, manual_clock, Postman([KilledError()])).send_next()  # type: ignore[list-item]
        manual_clock.advance(CLAIM)
    assert outbox(database, manual_clock, postman).send_next() == "failed"
    assert postman.messages == []
    assert "3 tries" in (only(database).last_error or "")


def test_many_senders_share_the_work_and_send_nothing_twice(database: Database, manual_clock: ManualClock) -> None:
    raise_alert(database, manual_clock, *(f"person{i}@plant.example" for i in range(40)))
    postman = Postman()

    def work() -> None:
        box = outbox(database, manual_clock, postman)
        # Of two that look at the same moment one may find nothing; the end is when nothing is pending.
        while any(row.status == "pending" for row in notifications(database)):
            box.send_next()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(Counter(m.recipient for m in postman.messages).values()) == [1] * 40


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 1 - JITTER), (0.5, 1.0), (1.0, 1 + JITTER)])
def test_pauses_vary(database: Database, manual_clock: ManualClock, chance: float, factor: float) -> None:
    raise_alert(database, manual_clock, "anna@plant.example")
    Outbox(database, {"email": Postman([RetryableError("away")])}, manual_clock, random=lambda: chance).send_next()
    assert only(database).next_attempt_at - manual_clock.now() == timedelta(seconds=PAUSES_S[0] * factor)


def test_a_message_whose_alert_was_deleted_while_it_was_sent_breaks_nothing(database: Database, manual_clock: ManualClock) -> None:
    raise_alert(database, manual_clock, "anna@plant.example")

    class Slow(Postman):
        def send(self, message: Message) -> None:
            with system_session(database, "test") as session:
                session.execute(delete(Alert))

    assert outbox(database, manual_clock, Slow()).send_next() == "sent"
    assert notifications(database) == []


def test_a_service_that_is_away_is_tried_for_half_an_hour(sqlite_database: Database, manual_clock: ManualClock) -> None:
    raise_alert(sqlite_database, manual_clock, "anna@plant.example")
    box = outbox(sqlite_database, manual_clock, Postman([ServiceAwayError("away")] * (TRIES_WHILE_AWAY - 1)))
    began, found = manual_clock.now(), []
    while only(sqlite_database).status == "pending":
        found.append(box.send_next())
        manual_clock.set(only(sqlite_database).next_attempt_at)
    assert found == ["pending"] * (TRIES_WHILE_AWAY - 1) + ["sent"]
    sent_at = only(sqlite_database).sent_at
    assert sent_at is not None
    assert sent_at - began == timedelta(seconds=sum(PAUSES_WHILE_AWAY_S))
    assert timedelta(minutes=30) < sent_at - began < timedelta(minutes=40)


def test_a_service_that_is_away_for_longer_ends_in_the_dead_letters(sqlite_database: Database, manual_clock: ManualClock) -> None:
    raise_alert(sqlite_database, manual_clock, "anna@plant.example")
    box = outbox(sqlite_database, manual_clock, Postman([ServiceAwayError("away")] * TRIES_WHILE_AWAY))
    for _ in range(TRIES_WHILE_AWAY):
        box.send_next()
        manual_clock.advance(timedelta(minutes=20))
    assert (only(sqlite_database).status, only(sqlite_database).last_error) == ("failed", "away")


def test_a_service_that_says_how_long_to_wait_is_given_that_time(sqlite_database: Database, manual_clock: ManualClock) -> None:
    raise_alert(sqlite_database, manual_clock, "anna@plant.example")
    outbox(sqlite_database, manual_clock, Postman([TooManyRequestsError("busy", retry_after_s=90)])).send_next()
    assert only(sqlite_database).next_attempt_at - manual_clock.now() == timedelta(seconds=90)


def test_who_gets_too_many_messages_gets_the_rest_together_each_minute(sqlite_database: Database, manual_clock: ManualClock) -> None:
    db, postman = sqlite_database, Postman()
    factory = add_factory(db)
    devices = [add_device(db, factory, f"M{number:02}") for number in range(8)]
    add_rule(db, factory)
    add_user(db, factory, "anna@plant.example")
    land(db, *(readings(factory, device, [(0, {"spindle_temp": 85})]) for device in devices))
    Evaluator(db, app_url="http://factory.example", clock=manual_clock).step()
    box = Outbox(db, {"email": postman}, manual_clock, most_per_window=3)
    assert [box.send_next() for _ in range(9)] == ["sent"] * 3 + ["held"] * 5 + [None]
    manual_clock.advance(HELD_FOR)
    FollowUp(db, manual_clock, "http://factory.example").run()
    assert [box.send_next(), box.send_next()] == ["sent", None]
    assert postman.messages[-1].subject == "FactoryOps Alerts - 5 alerts: 5 critical"
    assert [alert.notification_sent for alert in alerts(db)] == [True] * 8


@pytest.mark.slow
def test_a_tick_sends_what_comes_while_it_runs_within_a_second(database: Database) -> None:
    settings = Settings(database_url=database.url, jwt_secret_key="for-tests-only-" + "x" * 32)
    postman, stop, clock, done = Postman(), threading.Event(), SystemClock(), []
    box = Outbox(database, {"email": postman}, clock)

    def tick() -> None:
        done.append(run_outbox_tick(settings, clock.now() + timedelta(seconds=60), stop, outbox=box))

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        raise_alert(database, clock, "anna@plant.example", "bert@plant.example")
        wait_until(lambda: len(postman.messages) == 2, 2)
    finally:
        stop.set()
        thread.join(10)
    assert [(one.sent, one.failed, one.retried, one.skipped) for one in done] == [(2, 0, 0, 0)]
