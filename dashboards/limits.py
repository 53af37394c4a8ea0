"""The thresholds of rules, as lines on charts and as the limit beside a value."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select

from rules.conditions import Operator, comparisons
from rules.parse import parse_definition
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.alerting import Rule, RuleDevice
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES

_UPPER = (Operator.GT, Operator.GTE)
_LOWER = (Operator.LT, Operator.LTE)


@dataclass(frozen=True)
class RuleLimit:
    """One comparison of an active rule with a parameter."""

    parameter: str
    threshold: float
    is_upper: bool
    severity: str
    rule_name: str
    is_alone: bool
    """True when this comparison alone raises the alert, false when others must hold too."""

    def is_beyond(self, value: float) -> bool:
        """Whether the value lies on the wrong side."""
        return value > self.threshold if self.is_upper else value < self.threshold


def device_limits(db: Database, factory_id: int, device_id: int) -> dict[str, list[RuleLimit]]:
    """The limits of active rules that watch a machine, by parameter, most severe first."""
    with tenant_session(db, factory_id) as session:
        watching = session.scalars(select(RuleDevice.rule_id).where(RuleDevice.device_id == device_id)).all()
        rules = session.scalars(select(Rule).where(Rule.is_active)).all()
    return limits_of(rule for rule in rules if rule.scope == "global" or rule.id in watching)


def limits_of(rules: Iterable[Rule]) -> dict[str, list[RuleLimit]]:
    """The upper and lower limits in the conditions of rules; equalities are no limits. Pure."""
    found: dict[str, list[RuleLimit]] = {}
    for rule in rules:
        try:
            condition = parse_definition(rule.conditions).condition
        except InvalidInputError:
            continue  # such a rule is not evaluated either; the rules page says so
        parts = list(comparisons(condition))
        for part in parts:
            if part.operator in _UPPER + _LOWER:
                limit = RuleLimit(part.parameter, part.threshold, part.operator in _UPPER, rule.severity, rule.name, len(parts) == 1)
                found.setdefault(part.parameter, []).append(limit)
    for limits in found.values():
        limits.sort(key=lambda limit: (SEVERITIES.index(limit.severity), limit.threshold))
    return found
