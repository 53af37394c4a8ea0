"""The installation that `bench api` asks: two factories with readings, machines, rules and alerts, up to now."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bench.readings_plant import PARAMETERS, TIMEZONE, Group, Plant, fill, roll_up
from warehouse.access.passwords import hash_password
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.models.alerting import Alert, Rule
from warehouse.models.devices import Device, DeviceParameter, LatestValue
from warehouse.models.people import PERMISSIONS, Factory, User
from warehouse.tenancy import system_session
from warehouse.terms import SEVERITIES

DAYS: Final = 30
DEVICES: Final = 100
RAW_FACTORY: Final = 2
RAW_DEVICE: Final = DEVICES + 1
GROUPS: Final = (Group(1, 10, 5), Group(11, DEVICES, 60))
PASSWORD: Final = "benchmarks are not secret"  # noqa: S105  # of an installation in the temporary folder


def make_history(lake: Lake, now: datetime, progress: Callable[[str], None]) -> None:
    """Both factories' readings of more than 30 days; the first one's rolled up, the second one's never."""
    start = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    fill(lake, Plant(start, DAYS + 1, GROUPS), progress)
    fill(lake, Plant(start, DAYS + 1, (Group(RAW_DEVICE, RAW_DEVICE, 5),), factory_id=RAW_FACTORY), progress)
    with lake.writer() as cursor:
        cursor.execute("DELETE FROM lake.touched WHERE factory_id = ?", [RAW_FACTORY])
    roll_up(lake, now, (1,), progress)
    with lake.writer() as cursor:
        marks = "INSERT INTO lake.touched SELECT ?::INTEGER, 'hour', ?::TIMESTAMPTZ + to_hours(i) FROM range(?) r(i)"
        cursor.execute(marks, [RAW_FACTORY, start, 24 * (DAYS + 1)])


def make_plants(installation: Installation, now: datetime) -> None:
    """Factories, people, machines and alerts unless they are there; what is live is of now in any case."""
    installation.db.migrate()
    with system_session(installation.db, "make a plant for a benchmark", write=True) as session:
        if session.scalar(select(Factory.id)) is None:
            _add_factory(session, 1, range(1, DEVICES + 1))
            _add_factory(session, RAW_FACTORY, range(RAW_DEVICE, RAW_DEVICE + 1))
            session.add_all(_rules())
            session.flush()
            session.add_all(_alerts(now))
        session.execute(delete(LatestValue))
        for device in session.scalars(select(Device)).all():
            device.last_seen = now
            common = {"factory_id": device.factory_id, "device_id": device.id, "ts": now, "received_at": now}
            session.add_all(LatestValue(parameter_key=key, value=20.0 * number, **common) for number, key in enumerate(PARAMETERS))


def email_of(factory_id: int) -> str:
    """With whom to sign in."""
    return f"chief@plant-{factory_id}.example"


def _add_factory(session: Session, factory_id: int, ids: range) -> None:
    session.add(Factory(id=factory_id, name=f"Plant {factory_id}", slug=f"plant-{factory_id}", timezone=TIMEZONE))
    session.flush()
    rights = {"role": "super_admin", "permissions": dict.fromkeys(PERMISSIONS, True)}
    session.add(User(factory_id=factory_id, email=email_of(factory_id), hashed_password=hash_password(PASSWORD), **rights))
    about = {"factory_id": factory_id, "kind": "CNC mill", "manufacturer": "Haas", "model": "VF-2"}
    session.add_all(Device(id=i, device_key=f"M{i:03d}", name=f"Mill {i}", region=f"Line {i % 5}", **about) for i in ids)
    session.flush()
    session.add_all(
        DeviceParameter(factory_id=factory_id, device_id=i, parameter_key=key, display_name=key.capitalize(), unit="W")
        for i in ids
        for key in PARAMETERS
    )


def _severity(rule_id: int) -> str:
    return SEVERITIES[rule_id % len(SEVERITIES)]


def _rules() -> Iterator[Rule]:
    tree = {"operator": "AND", "conditions": [{"parameter": "temp", "operator": "gt", "threshold": 80}]}
    for rule_id in range(1, 21):
        yield Rule(id=rule_id, factory_id=1, name=f"Rule {rule_id}", scope="global", conditions=tree, severity=_severity(rule_id))


def _alerts(now: datetime) -> Iterator[Alert]:
    """2,000 of the 30 days, of which 27 are still active."""
    said = {"message": "Temp (82.5 °C) exceeded threshold (80 °C)", "telemetry_snapshot": {"temp": 82.5}}
    for number in range(2_000):
        at, rule_id = now - timedelta(minutes=20 * number), number % 20 + 1
        resolved_at = None if number < 27 else at + timedelta(minutes=10)
        where = {"factory_id": 1, "rule_id": rule_id, "device_id": number % DEVICES + 1}
        yield Alert(triggered_at=at, resolved_at=resolved_at, severity=_severity(rule_id), **where, **said)
