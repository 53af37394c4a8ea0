"""Every kind of condition while evaluators are killed at random moments: what one forgot, the next one knows."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random

import polars as pl
import pytest

from rules import evaluation
from rules.evaluation import Evaluator
from tests.helpers import REPOSITORY
from tests.rules.installation import START, add_device, add_factory, add_user, alerts, land, notifications, raises, readings
from tests.rules.killed_evaluator import PLACES
from tests.rules.kinds import KINDS, Kind
from tests.rules.test_kinds_live import key_of, make_rule, told
from tests.rules.timelines import usual
from warehouse.clock import ManualClock
from warehouse.db import Database


class Killed(BaseException):
    """kill -9: nothing after it runs."""


REMEMBERING = [kind for kind in KINDS if kind.name in {"held without a message", "repeated", "rate", "missing device"}]
"""What PostgreSQL is asked to keep from one process to the next, one of each sort."""


def test_killed_between_and_inside_transactions_each_kind_tells_what_it_tells_anyway(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, clock, factory = Random(0), ManualClock(START), add_factory(sqlite_database)
    keys = [key_of(number, device) for number, kind in enumerate(KINDS) for device in sorted(kind.devices)]
    ids = {key: add_device(sqlite_database, factory, key) for key in keys}
    rules = [make_rule(sqlite_database, number, kind, ids) for number, kind in enumerate(KINDS)]
    sent = sorted((at, ids[key_of(n, device)], values) for n, kind in enumerate(KINDS) for at, device, values in kind.messages())
    deadly = {"now": False}

    def record_or_die(session: object, *given: object) -> int:
        found = record(session, *given)
        if deadly["now"]:
            raise Killed
        return found

    record = evaluation.record_events
    monkeypatch.setattr(evaluation, "record_events", record_or_die)
    running, kills = None, 0
    for minute in range(int(max(at for at, *_ in sent) // 60) + 1):
        clock.set(START + timedelta(minutes=minute))
        for at, device, values in sent:
            if at != minute * 60:
                continue
            land(sqlite_database, readings(factory, device, [(at, values)]), landed_at=clock.now())
            if running is None:
                running = Evaluator(sqlite_database, app_url="http://localhost", clock=clock, baseline_at=usual)
            deadly["now"] = chance.random() < 0.2
            try:
                running.step()
            except Killed:
                running, kills = None, kills + 1
            if chance.random() < 0.2:
                running, kills = None, kills + 1
        deadly["now"] = False
    running = running or Evaluator(sqlite_database, app_url="http://localhost", clock=clock, baseline_at=usual)
    running.step()
    clock.advance(timedelta(minutes=30))
    running.step()
    found = {kind.name: told(sqlite_database, rule, START) for kind, rule in zip(KINDS, rules, strict=True)}
    assert found == {kind.name: kind.expected for kind in KINDS}
    assert kills > 20


@contextmanager
def killed_evaluators(db: Database) -> Iterator[Callable[[timedelta, str], bool]]:
    """A function that lets an evaluator in another process step at a moment after START and die at a place; True when it lived."""
    url = db.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.rules.killed_evaluator", url]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=one_thread) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        orders, answers = parent.stdin, parent.stdout
        assert answers.readline() == "ready\n"

        def step(after: timedelta, place: str) -> bool:
            print((START + after).isoformat(), place, file=orders, flush=True)
            answer = answers.readline()
            assert answer in {"done\n", "killed\n"}
            return answer == "done\n"

        yield step
        orders.close()
        assert parent.wait(10) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept_in", "kinds"), [("sqlite_database", KINDS), ("postgresql_database", REMEMBERING)], ids=["sqlite", "postgresql"]
)
def test_real_kills_between_and_inside_transactions_lose_and_double_nothing_of_any_kind(
    request: pytest.FixtureRequest, kept_in: str, kinds: list[Kind]
) -> None:
    db: Database = request.getfixturevalue(kept_in)
    chance, kills, factory = Random(5), Counter[str](), add_factory(db)
    add_user(db, factory, "anna@plant.example")
    keys = [key_of(number, device) for number, kind in enumerate(kinds) for device in sorted(kind.devices)]
    ids = {key: add_device(db, factory, key) for key in keys}
    rules = [make_rule(db, number, kind, ids) for number, kind in enumerate(kinds)]
    batches: dict[tuple[float, int], list[pl.DataFrame]] = {}
    for number, kind in enumerate(kinds):
        for at, device, values in kind.messages():
            batches.setdefault((at, number % 2), []).append(readings(factory, ids[key_of(number, device)], [(at, values)]))
    with killed_evaluators(db) as step:
        for (at, _), frames in sorted(batches.items()):
            land(db, pl.concat(frames), landed_at=START + timedelta(seconds=at))
            lives = False
            while not lives:
                place = chance.choice(("-", "-", *PLACES, str(chance.randrange(60_000))))
                lives = step(timedelta(seconds=at), place)
                kills[place if place in PLACES else "anywhere"] += not lives
        assert step(timedelta(seconds=at), "-")
        assert step(timedelta(seconds=at, minutes=30), "-")
    assert {kind.name: told(db, rule, START) for kind, rule in zip(kinds, rules, strict=True)} == {k.name: k.expected for k in kinds}
    moments = [(one.rule_id, one.device_id, one.raised_at) for one in raises(db)]
    assert len(moments) == len(set(moments)) == sum(1 + alert.repeat_count for alert in alerts(db))
    told_of = [one.alert_id for one in notifications(db) if one.kind == "alert"]
    assert len(told_of) == len(set(told_of)) >= len(kinds)
    assert set(told_of) == {alert.id for alert in alerts(db)}
    assert (+kills).keys() >= {*PLACES, "anywhere"}, "died at each place"
