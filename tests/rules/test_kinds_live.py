"""Every kind of condition live: messages through a broker and the ingester, alerts and their ends in the database."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from rules.conditions import parameters
from rules.evaluation import Evaluator
from rules.parse import parse_definition
from tests.helpers import wait_until
from tests.ingest.conftest import Machine, Plant, add_devices, broker, machine, plant
from tests.ingest.processes import INGESTER, processes
from tests.ingest.test_crash_recovery import is_subscribed
from tests.rules.kinds import KINDS, Kind
from tests.rules.timelines import usual
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.models.alerting import Alert, AlertEvent, AlertRaise, Rule, RuleDevice
from warehouse.models.people import Factory
from warehouse.tenancy import system_session

__all__ = ["broker", "machine", "plant"]
STARTED = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)


def key_of(kind: int, device: int) -> str:
    return f"K{kind:02}-{device}"


@pytest.mark.slow
@pytest.mark.broker
def test_each_kind_live_through_mqtt(plant: Plant, request: pytest.FixtureRequest) -> None:
    keys = [key_of(number, device) for number, kind in enumerate(KINDS) for device in sorted(kind.devices)]
    ids = add_devices(plant.db, *keys)
    rules = [make_rule(plant.db, number, kind, ids) for number, kind in enumerate(KINDS)]
    # The broker lets in the machines that are there when it starts.
    connect: Callable[..., Machine] = request.getfixturevalue("machine")
    speaking = {key: connect(key) for key in keys}
    clock = ManualClock(datetime.now(UTC))
    running = Evaluator(plant.db, app_url="http://localhost", clock=clock, baseline_at=usual)
    with processes(plant, INGESTER):
        wait_until(lambda: is_subscribed(plant), 30, "the ingester is connected")
        watched = 0
        for number, kind in enumerate(KINDS):
            definition = parse_definition(kind.document)
            for at, device, values in kind.messages():
                when = (STARTED + timedelta(seconds=at)).isoformat()
                payload = json.dumps({"timestamp": when, "metrics": values}).encode()
                speaking[key_of(number, device)].publish(payload)
                watched += len(values.keys() & parameters(definition.condition))
        wait_until(lambda: (running.step(), running.counts)[1].evaluated == watched, 30, "all readings are evaluated")
    # Nothing more arrives, for half an hour.
    clock.advance(timedelta(minutes=30))
    running.step()
    assert {kind.name: told(plant.db, rule, STARTED) for kind, rule in zip(KINDS, rules, strict=True)} == {
        k.name: k.expected for k in KINDS
    }


def make_rule(db: Database, number: int, kind: Kind, ids: dict[str, int]) -> int:
    with system_session(db, "test", write=True) as session:
        factory_id = session.scalars(select(Factory.id)).one()
        rule = Rule(factory_id=factory_id, name=kind.name, conditions=kind.document, cooldown_minutes=kind.cooldown_min, severity="low")
        session.add(rule)
        session.flush()
        devices = [ids[key_of(number, device)] for device in kind.devices]
        session.add_all(RuleDevice(factory_id=factory_id, rule_id=rule.id, device_id=device_id) for device_id in devices)
        return rule.id


def told(db: Database, rule_id: int, started: datetime) -> list[tuple[str, float]]:
    """Alerts and repeats, and ends, with their minute."""
    with system_session(db, "test") as session:
        raised = session.scalars(select(AlertRaise.raised_at).where(AlertRaise.rule_id == rule_id)).all()
        events = session.scalars(select(AlertEvent).join(Alert, Alert.id == AlertEvent.alert_id).where(Alert.rule_id == rule_id)).all()
        over = [event.happened_at for event in events if event.kind == "cleared"]
        over += [datetime.fromisoformat(event.details["cleared_at"]) for event in events if event.kind == "resolved" and event.details]
    found = [*(("R", at) for at in raised), *(("C", at) for at in over)]
    return sorted(((mark, (at - started).total_seconds() / 60) for mark, at in found), key=lambda event: event[1])
