"""The demo's rules: what a maintenance team would watch on these machines. Thresholds lie well clear of what a healthy machine does."""

from dataclasses import dataclass
from typing import Any, Final

from ingest.simulator.plant import NORDWERK, VPC, Kind, PlantFactory

Tree = dict[str, Any]


@dataclass(frozen=True)
class DemoRule:
    """One rule in the terms of the rules table. `kind` None means a global rule, otherwise it watches all machines of that kind."""

    name: str
    description: str
    severity: str
    kind: Kind | None
    conditions: Tree
    cooldown_minutes: int
    repair: str
    """What people write when they resolve its alert."""
    office_hours: bool = False
    """Only from 06:00 to 22:00 on working days."""

    def schedule(self, factory: PlantFactory) -> tuple[str, Tree | None]:
        """The columns `schedule_type` and `schedule_config`; days count from Monday = 1."""
        if not self.office_hours:
            return "always", None
        return "time_window", {"start_time": "06:00", "end_time": "22:00", "days": list(range(1, factory.workdays + 1))}


def _is(parameter: str, operator: str, threshold: float) -> Tree:
    return {"parameter": parameter, "operator": operator, "threshold": threshold}


def _all(*conditions: Tree) -> Tree:
    return {"operator": "AND", "conditions": list(conditions)}


def _any(*conditions: Tree) -> Tree:
    return {"operator": "OR", "conditions": list(conditions)}


SPINDLE: Final = DemoRule(
    "Spindle overheat", "The spindle is hot and the coolant that should take the heat away is missing.", "critical", Kind.CNC_MILL,
    _all(_is("spindle_temp", "gt", 80), _is("coolant_flow", "lt", 5)), 60, "Coolant hose replaced, tank refilled",
)  # fmt: skip
VIBRATION: Final = DemoRule(
    "Vibration above limit", "Vibration velocity beyond 7.1 mm/s, where zone D of ISO 10816 begins.", "high", None,
    _all(_is("vibration", "gt", 7.1)), 90, "Bearing and balance checked, worn part replaced",
)  # fmt: skip
FILTER: Final = DemoRule(
    "Air filter clogged", "The filter's pressure drop is high although the fan turns.", "medium", None,
    _all(_is("filter_pressure", "gt", 300), _is("fan_speed", "gt", 600)), 480, "Filter changed",
)  # fmt: skip
OVEN: Final = DemoRule(
    "Oven out of band", "The chamber is more than 15 K away from its set temperature while heat treating.", "high", Kind.OVEN,
    _all(_is("setpoint_temp", "gt", 150), _any(_is("temp_deviation", "lt", -15), _is("temp_deviation", "gt", 15))), 60,
    "Heating element replaced, batch quarantined",
)  # fmt: skip
OVERLOAD: Final = DemoRule(
    "Conveyor motor overload", "The motor draws too much while the belt is slow or the motor is hot.", "high", Kind.CONVEYOR,
    _all(_is("current", "gt", 5), _any(_is("belt_speed", "lt", 0.45), _is("motor_temp", "gt", 75))), 30, "Jammed part removed",
)  # fmt: skip
DISCHARGE: Final = DemoRule(
    "Compressor discharge too hot", "Old oil or a clogged intake: the screw runs hot.", "high", None,
    _all(_is("discharge_temp", "gt", 95)), 240, "Oil changed",
)  # fmt: skip
HYDRAULIC: Final = DemoRule(
    "Hydraulic pressure lost", "Hot oil with low pressure or long cycles: the hydraulics leak.", "critical", Kind.INJECTION_MOULDER,
    _all(_is("hydraulic_oil_temp", "gt", 60), _any(_is("injection_pressure", "lt", 1000), _is("cycle_time", "gt", 40))), 60,
    "Seal replaced, oil topped up",
)  # fmt: skip
CAVITATION: Final = DemoRule(
    "Pump cavitation", "Little flow and much vibration: the pump draws vapour.", "medium", Kind.PUMP,
    _all(_is("flow", "lt", 22), _is("vibration", "gt", 4.5)), 60, "Suction strainer cleaned",
)  # fmt: skip
POWER_FACTOR: Final = DemoRule(
    "Low power factor", "The capacitor bank is not compensating; the utility charges for reactive power in day and late shift.", "low",
    Kind.ENERGY_METER, _all(_is("power_factor", "lt", 0.85), _is("metered_power", "gt", 5000)), 240, "Capacitor step switched back in",
    office_hours=True,
)  # fmt: skip

RULES: Final[dict[str, tuple[DemoRule, ...]]] = {
    VPC.slug: (SPINDLE, VIBRATION, FILTER, OVEN, OVERLOAD, HYDRAULIC, CAVITATION, POWER_FACTOR),
    NORDWERK.slug: (SPINDLE, VIBRATION, OVEN, OVERLOAD, DISCHARGE, HYDRAULIC, CAVITATION, POWER_FACTOR),
}
