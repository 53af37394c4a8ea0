"""The analyses that the demo begins with. They are only ordered here; Dagster makes them, two at a time, once everything runs."""

from datetime import timedelta
from typing import Final

from sqlalchemy import select

from warehouse.access.audit import Actor
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.jobs import NewJob, list_jobs, order_job
from warehouse.models.devices import Device
from warehouse.models.people import User
from warehouse.tenancy import tenant_session

LEAST_DAYS: Final = 14
"""Of history: with less most analyses could only say that it is too little."""
FIRST: Final = (("ai_copilot", 7), ("energy_forecast", 30), ("failure_prediction", 30), ("anomaly", 7), ("ai_copilot", 7))
"""Kind and days, in this order; the last one tells what those before it found."""


def order_first_analyses(installation: Installation, history_days: int) -> list[str]:
    """Orders them for the demo's first factory, unless it has some or its history is short; returns their ids."""
    if history_days < LEAST_DAYS:
        return []
    factory_id, now = min(factory_zones(installation.db)), installation.clock.now()
    _, known = list_jobs(installation.db, factory_id, status=None, job_type=None, limit=1)
    if known:
        return []
    with tenant_session(installation.db, factory_id) as session:
        user_id = session.scalars(select(User.id).order_by(User.id).limit(1)).one()
        machines = list(session.scalars(select(Device.id).where(Device.is_active).order_by(Device.id)))
    actor = Actor(factory_id, user_id)
    return [
        order_job(
            installation.db,
            installation.clock,
            actor,
            NewJob(kind, "ai_copilot" if kind == "ai_copilot" else "standard", machines, now - timedelta(days=days), now),
        ).id
        for kind, days in FIRST
    ]
