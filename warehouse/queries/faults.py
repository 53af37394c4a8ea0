"""When machines stood in fault: from each critical alert until it was resolved."""

from datetime import datetime

import polars as pl
from sqlalchemy import or_, select

from warehouse.db import Database
from warehouse.models.alerting import Alert, Rule
from warehouse.queries.availability import FAULTS
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES


def fault_spans(db: Database, factory_id: int, start: datetime, end: datetime) -> pl.DataFrame:
    """FAULTS that touch [start, end), sorted; `reason` is the rule's name, null when the rule is gone. An open one lasts until `end`."""
    touching = (
        select(Alert.device_id, Alert.triggered_at, Alert.resolved_at, Rule.name)
        .join(Rule, Rule.id == Alert.rule_id, isouter=True)
        .where(Alert.severity == SEVERITIES[0], Alert.triggered_at < end, or_(Alert.resolved_at.is_(None), Alert.resolved_at > start))
        .order_by(Alert.device_id, Alert.triggered_at)
    )
    with tenant_session(db, factory_id) as session:
        rows = [(device, begin, resolved or end, name) for device, begin, resolved, name in session.execute(touching).all()]
    return pl.DataFrame(rows, schema={**FAULTS, "reason": pl.String()}, orient="row").filter(pl.col("end") > pl.col("begin"))
