"""kill -9 of evaluators at random moments, and several at once: the same alerts as a clean run, none twice, none lost."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event

from rules.evaluation import Evaluator
from rules.evaluator import STANDBY_LOOKS_EVERY_S, STANDBY_TAKES_AFTER, WAITING_LOOKS_EVERY_S, run_standby, run_tick
from tests.fixtures.warehouse import migrate
from tests.helpers import REPOSITORY, wait_until
from tests.rules.installation import (
    HOT,
    START,
    add_device,
    add_factory,
    add_rule,
    add_user,
    alert_seconds,
    alerts,
    cursor,
    land,
    notifications,
    raises,
    readings,
)
from warehouse.clock import SystemClock
from warehouse.db import Database
from warehouse.leases import DEFAULT_TTL_S
from warehouse.settings import Settings

pytestmark = pytest.mark.slow

BOTH = {"operator": "AND", "conditions": [HOT, {"parameter": "coolant_flow", "operator": "lt", "threshold": 5}]}
Key = tuple[int, int, object, str | None]


def evaluator(db: Database) -> Evaluator:
    return Evaluator(db, app_url="http://factory.example", clock=SystemClock())


def fast_settings(db: Database) -> Settings:
    return Settings(database_url=db.url, jwt_secret_key="for-tests-only-" + "x" * 32)


@contextmanager
def process(db: Database) -> Iterator[subprocess.Popen[str]]:
    """An evaluator process that is ready to take the lease."""
    url = db.engine.url.render_as_string(hide_password=False)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.rules.evaluator_process", url], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env={**os.environ}
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


@contextmanager
def contending(stop: threading.Event, *contenders: Callable[[], object]) -> Iterator[None]:
    """Each contender in a thread of its own, stopped and awaited at the end whatever happens."""
    threads = [threading.Thread(target=contender, daemon=True) for contender in contenders]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def set_up(db: Database) -> list[tuple[int, int]]:
    """Factories with rules of several kinds; gives (factory, device) pairs."""
    found = []
    for _ in range(2):
        factory = add_factory(db)
        devices = [add_device(db, factory, f"M{i}") for i in range(5)]
        add_rule(db, factory, cooldown_minutes=0, name="every time")
        add_rule(db, factory, BOTH, cooldown_minutes=0.2, name="two parameters, short cooldown")
        add_rule(db, factory, BOTH, devices=devices[:2], cooldown_minutes=15, name="long cooldown")
        add_user(db, factory, "anna@plant.example")
        found += [(factory, device) for device in devices]
    return found


def messages(pairs: list[tuple[int, int]], count: int, seed: int) -> Iterator[tuple[int, int, float, dict[str, float]]]:
    """Messages with one or two parameters, some of them late, some delivered twice."""
    chance = random.Random(seed)
    clocks = dict.fromkeys(pairs, 0.0)
    for _ in range(count):
        pair = chance.choice(pairs)
        clocks[pair] += chance.choice((1.0, 2.0, 5.0))
        late = chance.choice((0, 0, 0, 0, 7.5, 200))
        values = {"spindle_temp": chance.uniform(60, 90), "coolant_flow": chance.uniform(3, 9)}
        chosen = chance.choice((("spindle_temp",), ("coolant_flow",), tuple(values)))
        message = (*pair, max(0.0, clocks[pair] - late), {name: values[name] for name in chosen})
        yield message
        if chance.random() < 0.1:
            yield message


def landed_again(db: Database, pairs: list[tuple[int, int]], count: int, seed: int) -> None:
    for factory, device, at, values in messages(pairs, count, seed):
        land(db, readings(factory, device, [(at, values)]))


def told(db: Database, first: tuple[int, int]) -> list[Key]:
    """Alerts and their repeats in a form that two databases share: ids counted from the first factory and device."""
    messages_of = {a.triggered_at: a.message for a in alerts(db)}
    return [(a.factory_id - first[0], a.device_id - first[1], a.raised_at - START, messages_of.get(a.raised_at)) for a in raises(db)]


def test_killed_at_random_moments_it_raises_the_same_alerts_as_a_clean_run(
    database: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    clean = Database(f"sqlite:///{tmp_path_factory.mktemp('clean') / 'clean.sqlite'}")
    migrate(clean)
    clean_pairs = set_up(clean)
    landed_again(clean, clean_pairs, 400, seed=7)
    one = evaluator(clean)
    while one.step().batches:
        pass
    expected = told(clean, clean_pairs[0])
    clean.dispose()

    pairs, chance, kills = set_up(database), random.Random(11), 0
    for part in range(4):
        with process(database) as child:
            lander = threading.Thread(target=landed_again_part, args=(database, pairs, part))
            lander.start()
            time.sleep(chance.uniform(0.05, 0.6))
            child.send_signal(signal.SIGKILL)
            kills += 1
            lander.join()
    last = evaluator(database)
    while last.step().batches:
        pass

    assert kills == 4
    assert len(expected) > 100
    assert told(database, pairs[0]) == expected
    assert len(notifications(database)) == len(alerts(database)) > 10


def landed_again_part(db: Database, pairs: list[tuple[int, int]], part: int) -> None:
    """A quarter of the messages."""
    everything = list(messages(pairs, 400, seed=7))
    quarter = len(everything) // 4
    for factory, device, at, values in everything[part * quarter : len(everything) if part == 3 else (part + 1) * quarter]:
        land(db, readings(factory, device, [(at, values)]))


@pytest.mark.parametrize("where", ["move_cursor", "record", "after"])
def test_a_step_that_dies_inside_or_just_after_its_transaction_is_repeated_without_doubling(
    database: Database, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    pairs = set_up(database)
    landed_again(database, pairs, 60, seed=3)

    class KilledError(BaseException):
        pass

    def die(*args: object, **kwargs: object) -> None:
        raise KilledError

    target = {"move_cursor": "rules.evaluation.landing.move_cursor", "record": "rules.evaluation.record", "after": "rules.evaluation.Step"}
    with monkeypatch.context() as patch:
        patch.setattr(target[where], die)
        with pytest.raises(KilledError):
            evaluator(database).step()
    assert bool(alerts(database)) is (where == "after")
    one = evaluator(database)
    while one.step().batches:
        pass
    keys = [(a.rule_id, a.device_id, a.raised_at) for a in raises(database)]
    assert len(keys) == len(set(keys)) == sum(1 + a.repeat_count for a in alerts(database)) > 10
    assert len(notifications(database)) == len(alerts(database))


def test_two_contenders_never_double_and_hand_over_within_moments(database: Database) -> None:
    factory = add_factory(database)
    device = add_device(database, factory)
    add_rule(database, factory, cooldown_minutes=0)
    add_user(database, factory, "anna@plant.example")
    settings, stop, clock = fast_settings(database), threading.Event(), SystemClock()
    done = []

    def contend(first_s: float) -> None:
        mine, length = evaluator(database), first_s
        while not stop.is_set():
            done.append(run_tick(settings, clock.now() + timedelta(seconds=length), stop, evaluator=mine))
            length = 0.4

    with contending(stop, lambda: contend(0.2), lambda: contend(0.4)):
        for i in range(120):
            land(database, readings(factory, device, [(i, {"spindle_temp": 85})]))
            time.sleep(0.01)
        wait_until(lambda: len(raises(database)) == 120, 60)
    assert alert_seconds(database) == list(range(120))
    assert [one.repeat_count for one in alerts(database)] == [119]
    assert len(notifications(database)) == 1
    assert sum(1 for one in done if one.alerts) >= 3, "they took turns"
    assert sum(one.alerts for one in done) == 120


def test_a_killed_holder_is_replaced(database: Database) -> None:
    factory = add_factory(database)
    device = add_device(database, factory)
    add_rule(database, factory, cooldown_minutes=0)
    stop = threading.Event()
    with process(database) as child:
        land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
        wait_until(lambda: len(alerts(database)) == 1, 60)
        ends_at = SystemClock().now() + timedelta(seconds=60)
        other = evaluator(database)
        with contending(stop, lambda: run_tick(fast_settings(database), ends_at, stop, evaluator=other)):
            time.sleep(0.3)
            child.send_signal(signal.SIGKILL)
            child.wait()
            land(database, readings(factory, device, [(1, {"spindle_temp": 85})]))
            wait_until(lambda: len(raises(database)) == 2, 60)


def test_who_waits_for_a_killed_holder_needs_less_than_two_seconds_beside_its_own_work() -> None:
    """The lease runs out, a contender looks; for the standby it has to stay free as well."""
    assert DEFAULT_TTL_S + WAITING_LOOKS_EVERY_S < 2
    assert STANDBY_TAKES_AFTER.total_seconds() + STANDBY_LOOKS_EVERY_S < 2


def test_the_standby_takes_over_only_when_the_lease_stays_free(database: Database) -> None:
    factory = add_factory(database)
    device = add_device(database, factory)
    add_rule(database, factory, cooldown_minutes=0)
    settings, stop, mine, standby = fast_settings(database), threading.Event(), evaluator(database), evaluator(database)
    run_tick(settings, SystemClock().now() + timedelta(seconds=0.2), stop, evaluator=mine)
    land(database, readings(factory, device, [(0, {"spindle_temp": 85})]))
    began = time.monotonic()
    with contending(stop, lambda: run_standby(settings, stop, evaluator=standby)):
        wait_until(lambda: len(alerts(database)) == 1, 60)
        took = time.monotonic() - began
    assert took > 0.7


def test_a_tick_ends_at_its_time_gives_the_lease_back_and_leaves_the_cursor_at_the_head(database: Database) -> None:
    factory = add_factory(database)
    device = add_device(database, factory)
    add_rule(database, factory)
    head = land(database, readings(factory, device, [(0, {"spindle_temp": 70})]), readings(factory, device, [(1, {"spindle_temp": 70})]))
    clock, one = SystemClock(), evaluator(database)
    ends_at = clock.now() + timedelta(seconds=0.5)
    done = run_tick(fast_settings(database), ends_at, threading.Event(), evaluator=one)
    assert clock.now() >= ends_at
    assert (done.batches, done.readings, done.alerts, done.position) == (2, 2, 0, head)
    assert done.seconds_held > 0
    assert cursor(database) == head
    second = run_tick(fast_settings(database), clock.now() + timedelta(seconds=0.1), threading.Event(), evaluator=one)
    assert second.seconds_held > 0, "the lease was free"


def test_an_idle_evaluator_asks_its_database_little(sqlite_database: Database) -> None:
    """Whether something landed is a question of microseconds on a connection of its own; all others are few, however quick it is."""
    add_rule(sqlite_database, add_factory(sqlite_database))
    settings, one, clock = fast_settings(sqlite_database), evaluator(sqlite_database), SystemClock()
    one.step()
    asked: list[str] = []
    event.listen(sqlite_database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    run_tick(settings, clock.now() + timedelta(seconds=1), threading.Event(), evaluator=one)
    assert 0 < len(asked) < 40, asked
