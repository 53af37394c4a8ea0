"""Readings that we work out ourselves and that come in like those of machines: who reads readings needs to know nothing of them."""

from datetime import datetime
from typing import Final

import polars as pl
from sqlalchemy import func, select

from warehouse import landing, latest
from warehouse.db import Database
from warehouse.models.devices import LatestValue
from warehouse.readings import READINGS
from warehouse.tenancy import system_session, tenant_session

ANOMALY_SCORE: Final = "anomaly_score"
DERIVED: Final = (ANOMALY_SCORE,)
"""Parameters of this kind; nothing may be learned from them about the machine that they speak of."""
_NAMES: Final = {ANOMALY_SCORE: ("Anomaly score", "")}


def land_derived(db: Database, readings: pl.DataFrame, now: datetime) -> int:
    """Lands READINGS of DERIVED parameters in one transaction, as the ingester lands those of machines; returns how many.

    They move live values forward and make the parameters known, but are no sign of life: a machine is offline although we still
    say something about it. Durable when it returns.
    """
    if not readings.height:
        return 0
    rows = readings.select(READINGS.names()).cast(READINGS)
    newest = latest.newest(rows)
    with system_session(db, "land what was worked out", write=True) as session:
        landing.append(session, rows, 0, now)
        latest.move_forward(session, newest)
        latest.add_parameters(session, _parameters(newest, now))
    return rows.height


def _parameters(newest: pl.DataFrame, now: datetime) -> list[dict[str, object]]:
    return [
        {
            "factory_id": factory_id, "device_id": device_id, "parameter_key": key, "display_name": _NAMES[key][0], "unit": _NAMES[key][1],
            "data_type": "float", "is_kpi_selected": False, "discovered_at": now, "updated_at": now,
        }
        for factory_id, device_id, key in newest.select("factory_id", "device_id", "parameter").iter_rows()
    ]  # fmt: skip


def last_measured(db: Database, factory_id: int) -> dict[int, datetime]:
    """Device time of the newest reading of each machine of a factory that it sent itself."""
    newest = select(LatestValue.device_id, func.max(LatestValue.ts)).where(LatestValue.parameter_key.not_in(DERIVED))
    with tenant_session(db, factory_id) as session:
        return {row[0]: row[1] for row in session.execute(newest.group_by(LatestValue.device_id))}
