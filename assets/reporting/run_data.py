"""The notebook's side: the frames of one run and what is derived from them, each computed once, so that no two pages differ."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from assets.reporting import measures
from assets.reporting.numbers import Writer
from assets.reporting.words import language
from rules.conditions import comparisons
from rules.parse import parse_definition
from warehouse.errors import InvalidInputError
from warehouse.queries.alarm_quality import AlarmQuality, measure
from warehouse.queries.data_quality import coverage
from warehouse.terms import METER_KIND


@dataclass(frozen=True)
class Limit:
    """A threshold that a rule sets for a parameter of a machine."""

    parameter: str
    value: float
    is_upper: bool
    severity: str


class RunData:
    """One run directory, read lazily. All moments are aware UTC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
        self.start, self.end, self.previous_start, self.prepared_at = (
            datetime.fromisoformat(self.facts[name]) for name in ("start", "end", "previous_start", "prepared_at")
        )
        self.zone = ZoneInfo(self.facts["factory"]["zone"])
        self.words = language(self.facts["language"])
        self.write = Writer(self.words, self.zone)

    def when(self, moment: datetime) -> str:
        """A moment as text: day of the week and time when it lies in this period or the one before, otherwise with its date."""
        return self.write.at(moment) if self.previous_start <= moment < self.end else self.write.stamp(moment)

    def frame(self, name: str) -> pl.DataFrame:
        """A frame by its name."""
        return pl.read_parquet(self.folder / f"{name}.parquet")

    @cached_property
    def devices(self) -> pl.DataFrame:
        """DEVICES in the order of the report."""
        return self.frame("devices")

    @cached_property
    def keys(self) -> dict[int, str]:
        """Device key by device id."""
        return dict(self.devices.select("device_id", "device_key").iter_rows())

    @cached_property
    def device_rows(self) -> dict[int, dict[str, Any]]:
        """A row of DEVICES by device id."""
        return {row["device_id"]: row for row in self.devices.iter_rows(named=True)}

    @cached_property
    def states(self) -> pl.DataFrame:
        """STATE_GRID of the period."""
        return measures.within(self.frame("states"), self.start, self.end)

    @cached_property
    def states_before(self) -> pl.DataFrame:
        """STATE_GRID of the period before."""
        return measures.within(self.frame("states"), self.previous_start, self.start)

    @cached_property
    def hours(self) -> measures.Hours:
        """Machine hours by state of the whole report."""
        return measures.hours_of(self.states)

    @cached_property
    def hours_by_device(self) -> dict[int, measures.Hours]:
        """Machine hours by state of each machine."""
        return measures.hours_by_device(self.states)

    @cached_property
    def energy(self) -> dict[int, float | None]:
        """Energy of each machine in kWh; None for one that measures none."""
        return measures.energy_by_device(self.states)

    @cached_property
    def energy_before(self) -> dict[int, float | None]:
        """The same in the period before; None also for a machine that was mostly silent then."""
        known = measures.hours_by_device(self.states_before)
        return {
            d: e if e and known[d].nodata < 0.5 * known[d].total else None for d, e in measures.energy_by_device(self.states_before).items()
        }

    @cached_property
    def all_alerts(self) -> pl.DataFrame:
        """ALERTS that stood in this period or the one before."""
        return self.frame("alerts")

    @cached_property
    def alerts(self) -> pl.DataFrame:
        """ALERTS raised in the period, numbered by their id."""
        return measures.within(self.all_alerts, self.start, self.end, "triggered_at")

    @cached_property
    def counts(self) -> dict[int, dict[str, int]]:
        """Alerts of the period by machine and severity."""
        return measures.alert_counts(self.alerts)

    @cached_property
    def quality(self) -> AlarmQuality:
        """Measures of ISA-18.2 of the period."""
        return measure(self.all_alerts, self.start, self.end)

    @cached_property
    def quality_before(self) -> AlarmQuality:
        """The same of the period before, as it was known at its end."""
        known = self.all_alerts.filter(pl.col("triggered_at") < self.start)
        return measure(known, self.previous_start, self.start)

    @cached_property
    def gaps(self) -> pl.DataFrame:
        """GAPS of the period, longest first."""
        length = (pl.col("end") - pl.col("begin")).alias("length")
        return self.frame("gaps").with_columns(length).sort(["length", "device_id", "begin"], descending=[True, False, False])

    @cached_property
    def coverage(self) -> pl.DataFrame:
        """Coverage of each machine in the period."""
        return coverage(self.gaps, list(self.keys), self.start, self.end)

    @cached_property
    def coverage_share(self) -> float | None:
        """Coverage of all machines together."""
        mean = self.coverage["coverage"].mean()
        return float(mean) if isinstance(mean, float) else None

    @cached_property
    def coverage_before(self) -> float | None:
        """Coverage of the period before; None when nothing was heard then."""
        mean = coverage(self.frame("gaps_before"), list(self.keys), self.previous_start, self.start)["coverage"].mean()
        return float(mean) if isinstance(mean, float) and mean > 0 else None

    @cached_property
    def has_data(self) -> bool:
        """False when not one reading arrived in the period."""
        return int(self.facts["readings"]) > 0

    @cached_property
    def had_data_before(self) -> bool:
        """Whether the period before can be compared with."""
        return self.states_before.filter(pl.col("state") != "nodata").height > 0.5 * self.states_before.height

    @cached_property
    def detail(self) -> list[int]:
        """Machines that are shown in detail."""
        return self.frame("detail")["device_id"].to_list()

    @cached_property
    def series(self) -> pl.DataFrame:
        """SERIES of the machines in detail."""
        return self.frame("series")

    @cached_property
    def parameters(self) -> pl.DataFrame:
        """PARAMETERS of all machines."""
        return self.frame("parameters")

    @cached_property
    def days(self) -> list[tuple[datetime, datetime]]:
        """The period cut at the factory's midnights."""
        return measures.local_days(self.start, self.end, self.zone)

    @cached_property
    def by_day(self) -> list[pl.DataFrame]:
        """STATE_GRID of each day."""
        return [measures.within(self.states, begin, end) for begin, end in self.days]

    @cached_property
    def areas(self) -> dict[str, list[int]]:
        """Machines by region, in the order of the report; machines without one are under an empty name."""
        found: dict[str, list[int]] = {}
        for device, region in self.devices.select("device_id", "region").iter_rows():
            found.setdefault(region, []).append(device)
        return found

    @cached_property
    def metered(self) -> set[int]:
        """Machines of kind energy meter: they measure what others draw and are left out of sums."""
        return set(self.devices.filter(pl.col("kind") == METER_KIND)["device_id"].to_list())

    @property
    def total_kwh(self) -> float | None:
        """Energy of all machines that draw power."""
        known = [kwh for device, kwh in self.energy.items() if kwh is not None and device not in self.metered]
        return sum(known) if known else None

    @property
    def total_kwh_before(self) -> float | None:
        """The same in the period before."""
        known = [kwh for device, kwh in self.energy_before.items() if kwh is not None and device not in self.metered]
        return sum(known) if known and self.had_data_before else None

    @cached_property
    def limits(self) -> dict[int, list[Limit]]:
        """The thresholds of active rules for each machine, without those that only say when a rule applies."""
        found: dict[int, list[Limit]] = {}
        for rule in self.frame("rules").filter(pl.col("is_active")).iter_rows(named=True):
            limits = list(_comparisons(json.loads(rule["conditions"])))
            for device in rule["device_ids"] or list(self.keys):
                for key, operator, threshold in limits:
                    if operator[:2] in {"gt", "lt"}:
                        found.setdefault(device, []).append(Limit(key, float(threshold), operator.startswith("gt"), rule["severity"]))
        return found

    def limit(self, device_id: int, parameter: str) -> Limit | None:
        """The most severe limit of a parameter of a machine."""
        rank = ("critical", "high", "medium", "low")
        mine = [limit for limit in self.limits.get(device_id, []) if limit.parameter == parameter]
        return min(mine, key=lambda limit: rank.index(limit.severity)) if mine else None


def _comparisons(tree: Any) -> Iterator[tuple[str, str, float]]:
    """Every comparison of a value with a threshold in a rule's conditions; none for conditions that cannot be read."""
    try:
        condition = parse_definition(tree).condition
    except InvalidInputError:
        return  # such a rule is not evaluated either
    for found in comparisons(condition):
        yield found.parameter, found.operator.value, found.threshold
