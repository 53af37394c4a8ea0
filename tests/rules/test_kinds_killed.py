"""Every kind of condition while evaluators are killed at random moments: what one forgot, the next one knows."""

from datetime import timedelta
from random import Random

import pytest

from rules import evaluation
from rules.evaluation import Evaluator
from tests.rules.installation import START, add_device, add_factory, land, readings
from tests.rules.kinds import KINDS
from tests.rules.test_kinds_live import key_of, make_rule, told
from tests.rules.timelines import usual
from warehouse.clock import ManualClock
from warehouse.db import Database


class Killed(BaseException):
    """kill -9: nothing after it runs."""


@pytest.mark.parametrize("seed", range(3))
def test_killed_between_and_inside_transactions_each_kind_tells_what_it_tells_anyway(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance, clock, factory = Random(seed), ManualClock(START), add_factory(sqlite_database)
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
