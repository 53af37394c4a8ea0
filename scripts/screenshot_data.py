"""What people did in the demo factory before the pictures are taken: through the same functions as the pages use."""

import json
from datetime import timedelta

from ingest.simulator.demo import DemoSeed
from rules.notify.wishes import ChainStep, NewChain, add_webhook, chains_of, save_chain
from rules.silences import NewSilence, silence
from warehouse.access import people
from warehouse.access.audit import Actor
from warehouse.access.people import Wanted
from warehouse.access.sign_in import factories, sign_in
from warehouse.installation import Installation
from warehouse.models.people import User
from warehouse.models.streams import DeadLetter
from warehouse.queries.alerts import list_alerts
from warehouse.queries.live import find_device
from warehouse.tenancy import system_session, tenant_session
from warehouse.upkeep import EventRow
from warehouse.upkeep_by_hand import write_down

PASSWORD = "pictures of a plant"  # noqa: S105  # of a home that is gone afterwards


def add_work(inst: Installation, seeded: DemoSeed) -> dict[str, str]:
    """Adds it once; returns the machine with the worst alert and the id of the person to look at."""
    factory = next(one for one in factories(inst.db) if one.name == seeded.factory)
    with tenant_session(inst.db, factory.id, write=True) as session:
        chief = session.query(User).filter(User.email == seeded.email).one()
        chief.role = "super_admin"
        chief.name = chief.name or "Linh Trần"
    hot = next((alert.device_key for alert in list_alerts(inst.db, factory.id)), "")
    known = people.people(inst.db, factory.id)
    if chains_of(inst.db, factory.id):
        return {"hot": hot, "person": str(known[0].id)}
    who = sign_in(
        inst.db, inst.settings, inst.clock, factory_id=factory.id, email=seeded.email, password=PASSWORD, user_agent="Chrome/156 Windows"
    ).identity
    for email, name, role, may in (
        ("minh.le@demo.example", "Minh Lê", "admin", {"create_rules": True, "generate_reports": True}),
        ("hoa.pham@demo.example", "Hoa Phạm", "viewer", {}),
    ):
        people.invite(inst.db, inst.settings, inst.clock, who, Wanted(email, name, None, role, may))
    _upkeep(inst, Actor(factory.id, who.user_id), hot)
    save_chain(
        inst.db,
        inst.clock,
        factory.id,
        NewChain("Night shift", [ChainStep(0, who.user_id)], least_severity="high", reminder_every_minutes=30),
        user_id=who.user_id,
    )
    add_webhook(inst.db, inst.clock, factory.id, "Maintenance system", "https://cmms.plant.example/alerts", "high", user_id=who.user_id)
    now = inst.clock.now()
    silence(
        inst.db,
        inst.clock,
        factory.id,
        NewSilence("Weekly cleaning", now, now + timedelta(days=180), schedule={"start_time": "22:00", "end_time": "23:30", "days": [7]}),
        user_id=who.user_id,
    )
    _letters(inst, factory.id, factory.slug)
    return {"hot": hot, "person": str(people.people(inst.db, factory.id)[-1].id)}


def _upkeep(inst: Installation, actor: Actor, device_key: str) -> None:
    now = inst.clock.now()
    device = find_device(inst.db, actor.factory_id, device_key=device_key)
    for kind, days_ago, hours, title, reason in (
        ("planned", 82, 3, "Spindle bearing greased", None),
        ("failure", 41, 2, "Coolant pump stood still", "Fuse"),
        ("inspection", 12, 1, "Yearly safety inspection", None),
    ):
        began = now - timedelta(days=days_ago)
        write_down(inst.db, inst.clock, actor, EventRow("", device.id, kind, began, began + timedelta(hours=hours), title, reason))


def _letters(inst: Installation, factory_id: int, slug: str) -> None:
    """Messages of two machines that nobody registered, and one that cannot be read."""
    now = inst.clock.now()
    told = [("PKG-01", "unknown_device", {"power": 640.0, "cycle_time": 3.2, "belt_speed": 0.8}, 36)]
    told += [("LBL-02", "unknown_device", {"power": 120.0, "labels": 1180}, 4)]
    with system_session(inst.db, "pictures", write=True) as session:
        for key, reason, metrics, number in told:
            for minute in range(number):
                at = now - timedelta(minutes=5 * minute, seconds=20)
                payload = json.dumps({"timestamp": at.isoformat(), "metrics": metrics}).encode()
                session.add(_letter(factory_id, slug, key, reason, payload, at))
        broken = b'{"timestamp": "23.11.2026", "metrics": {"power": 4100'
        session.add(_letter(factory_id, slug, "CNC-04", "not_json", broken, now - timedelta(hours=2)))


def _letter(factory_id: int, slug: str, key: str, reason: str, payload: bytes, at: object) -> DeadLetter:
    topic = f"factories/{slug}/devices/{key}/telemetry"
    return DeadLetter(
        factory_id=factory_id,
        device_key=key,
        reason=reason,
        detail="",
        topic=topic,
        payload=payload,
        payload_size=len(payload),
        received_at=at,
    )
