"""From the broker into the database, whatever the network, the broker and the database do meanwhile."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from ingest import dead_letters, reasons
from ingest.broker import Mosquitto
from ingest.connection import Connection
from ingest.consumer import Ingester
from ingest.credentials import ingester_login
from ingest.figures import IngestFigures
from ingest.inbox import Inbox
from tests.helpers import wait_until
from tests.ingest.conftest import Machine, Plant
from tests.ingest.messages import incoming
from warehouse import heartbeat, landing
from warehouse.clock import SystemClock
from warehouse.models.devices import LatestValue
from warehouse.tenancy import system_session

pytestmark = pytest.mark.slow
Connect = Callable[..., Machine]


@contextmanager
def running(plant: Plant) -> Iterator[Ingester]:
    """An ingester in threads of this process, stopped at the end."""
    ingester, stop = Ingester(plant.settings), threading.Event()
    thread = threading.Thread(target=ingester.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: not ingester.connection.problem, 10, "the ingester is connected")
        yield ingester
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def connected(plant: Plant, inbox: Inbox | None = None) -> Iterator[tuple[Connection, Inbox]]:
    """Only the connection: somebody else says what is durable."""
    inbox = Inbox() if inbox is None else inbox
    connection, stop = Connection(ingester_login(plant.settings), inbox, IngestFigures(), SystemClock()), threading.Event()
    thread = threading.Thread(target=connection.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: not connection.problem, 10, "connected")
        yield connection, inbox
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def numbers(plant: Plant) -> list[float]:
    """The values that landed, in the order of landing."""
    with system_session(plant.db, "read in a test") as session:
        return [value for batch in landing.read_after(session, 0, 10_000) for value in batch.readings["value"]]


def latest_of(plant: Plant, device: str) -> dict[str, float | None]:
    with system_session(plant.db, "read in a test") as session:
        found = session.scalars(select(LatestValue).where(LatestValue.device_id == plant.device_ids[device]))
        return {row.parameter_key: row.value for row in found}


def numbered(number: int) -> bytes:
    return json.dumps({"timestamp": 1_800_000_000 + number, "metrics": {"n": number}}).encode()


def send(machine: Machine, *values: float) -> None:
    for value in values:
        machine.publish(json.dumps({"metrics": {"n": value}}).encode())


def test_a_message_becomes_a_live_value(plant: Plant, machine: Connect) -> None:
    with running(plant):
        send(machine("M01"), 42)
        wait_until(lambda: latest_of(plant, "M01") == {"n": 42.0})


def test_what_was_sent_while_we_were_away_arrives(plant: Plant, machine: Connect) -> None:
    with running(plant):
        send(machine("M01"), 0)
        wait_until(lambda: numbers(plant) == [0.0])
    send(machine("M01"), *range(1, 50))
    with running(plant):
        wait_until(lambda: numbers(plant) == [float(n) for n in range(50)])


def test_an_orderly_stop_leaves_nothing_to_be_sent_again(plant: Plant, machine: Connect) -> None:
    with running(plant):
        send(machine("M01"), *range(20))
        wait_until(lambda: len(numbers(plant)) == 20)
    with connected(plant) as (_, inbox):
        send(machine("M02"), 99)
        wait_until(lambda: len(inbox))
        assert [message.payload for message in inbox.take(10)] == [b'{"metrics": {"n": 99}}']


def test_what_was_not_acknowledged_is_sent_again(plant: Plant, machine: Connect) -> None:
    with connected(plant) as (connection, inbox):
        send(machine("M01"), *range(10))
        wait_until(lambda: len(inbox) == 10)
        connection.acknowledge(inbox.take(4))
    with connected(plant) as (_, inbox):
        wait_until(lambda: len(inbox) == 6, message="six come again")
        assert [json.loads(message.payload)["metrics"]["n"] for message in inbox.take(10)] == list(range(4, 10))


def test_acknowledgements_of_an_earlier_connection_are_not_sent(plant: Plant, machine: Connect) -> None:
    """The numbers of messages begin anew with a session: an old one could be that of a message that is not durable."""
    with connected(plant) as (connection, inbox):
        send(machine("M01"), 1)
        wait_until(lambda: len(inbox))
        (message,) = inbox.take(1)
    with connected(plant) as (connection, inbox):
        connection._number = 7
        connection.acknowledge([message])
        wait_until(lambda: len(inbox))
    with connected(plant) as (_, inbox):
        wait_until(lambda: len(inbox), message="it comes again, because nobody acknowledged it")


def test_a_broker_that_restarts_is_found_again(plant: Plant, broker: Mosquitto, machine: Connect) -> None:
    with running(plant) as ingester:
        send(machine("M01"), 1)
        wait_until(lambda: numbers(plant) == [1.0])
        broker.stop()
        wait_until(lambda: ingester.connection.problem, message="the loss is noticed")
        broker.start()
        wait_until(lambda: not ingester.connection.problem, 15, "connected again")
        wait_until(lambda: _sent(machine, 2), 15, "the machine is in again")
        wait_until(lambda: numbers(plant) == [1.0, 2.0])


def _sent(machine: Connect, value: float) -> bool:
    found = machine("M02")
    send(found, value)
    return True


def test_a_full_inbox_stops_reading_and_loses_nothing(plant: Plant, machine: Connect) -> None:
    inbox = Inbox(most_messages=5)
    with connected(plant, inbox) as (connection, _):
        sender = machine("M01")
        for number in range(200):
            sender.publish(numbered(number))
        taken: list[bytes] = []
        highest = 0

        def take() -> bool:
            nonlocal highest
            highest = max(highest, len(inbox))
            messages = inbox.take(5)
            taken.extend(message.payload for message in messages)
            connection.acknowledge(messages)
            return len(taken) >= 200

        wait_until(take, 20, "all messages arrive")
        assert taken == [numbered(number) for number in range(200)]
        # One burst may come on top of a full inbox.
        assert highest <= 200


def test_a_wrong_password_is_said(plant: Plant, broker: Mosquitto) -> None:
    login = ingester_login(plant.settings)
    wrong = type(login)(login.host, login.port, login.username, "wrong", "another")
    connection, stop = Connection(wrong, Inbox(), IngestFigures(), SystemClock()), threading.Event()
    thread = threading.Thread(target=connection.run, args=(stop,))
    thread.start()
    wait_until(lambda: "refused us" in connection.problem)
    stop.set()
    thread.join(10)


def test_a_broker_that_is_not_there_is_waited_for(plant: Plant) -> None:
    connection, stop = Connection(ingester_login(plant.settings), Inbox(), IngestFigures(), SystemClock()), threading.Event()
    thread = threading.Thread(target=connection.run, args=(stop,))
    thread.start()
    wait_until(lambda: "cannot be reached" in connection.problem)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_messages_land_when_the_database_is_back(plant: Plant, machine: Connect) -> None:
    with running(plant) as ingester:
        send(machine("M01"), 0)
        wait_until(lambda: len(numbers(plant)) == 1)
        with system_session(plant.db, "take the table away") as session:
            session.connection().exec_driver_sql("ALTER TABLE landing_batches RENAME TO away")
        send(machine("M01"), *range(1, 100))
        wait_until(lambda: ingester.lander.problem)
        with system_session(plant.db, "bring the table back") as session:
            session.connection().exec_driver_sql("ALTER TABLE away RENAME TO landing_batches")
        wait_until(lambda: numbers(plant) == [float(n) for n in range(100)], 15)


def test_hostile_messages_over_the_wire_do_not_disturb_others(plant: Plant, machine: Connect) -> None:
    hostile, good = machine("M01"), machine("M02")
    with running(plant):
        for payload in (b"", b"\xff\xfe", b"[" * 100_000, b'{"metrics":{"a":NaN}}', b"x" * (1 << 20), b'{"metrics":{}}'):
            hostile.publish(payload)
            send(good, 1)
        wait_until(lambda: sum(dead_letters.counts(plant.db).values()) >= 6)
        wait_until(lambda: len(numbers(plant)) == 6)
        assert dead_letters.counts(plant.db) == {
            reasons.NOT_JSON: 2,
            reasons.INVALID_UTF8: 1,
            reasons.TOO_DEEP: 1,
            reasons.NOT_A_NUMBER: 1,
            reasons.NO_METRICS: 1,
        }
        assert hostile.client.is_connected()


def test_signs_of_life_while_it_runs_and_none_after_it_stopped(plant: Plant, machine: Connect) -> None:
    with running(plant):
        wait_until(lambda: [beat.name for beat in heartbeat.heartbeats(plant.db)] == ["ingester"])
        assert any(metric["name"] == "factoryops_ingest_messages" for metric in heartbeat.heartbeats(plant.db)[0].metrics)
    assert heartbeat.heartbeats(plant.db) == []


def test_a_thread_that_fails_ends_the_process_instead_of_half_of_it(
    plant: Plant, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingester = Ingester(plant.settings)

    def broken(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ingester.lander, "run", broken)
    with pytest.raises(Exception, match="a thread of the ingester failed"):
        ingester.run(threading.Event())


def test_the_inbox_counts_bytes_as_well() -> None:
    inbox = Inbox(most_bytes=100)
    full = []
    for size in (99, 1):
        inbox.put(incoming(b"x" * size))
        full.append(inbox.is_full)
    inbox.take(1)
    assert [*full, inbox.is_full] == [False, True, False]
    assert inbox.wait(0)
