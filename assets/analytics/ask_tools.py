"""What a language model may look at: a handful of questions about one factory, each answered with numbered facts. None of them writes.

Names and texts in the facts come from machines and people. They are data: they are cut, freed of control characters, and nothing in
them is ever carried out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assets.analytics.contract import Inputs
from assets.analytics.copilot_data import device_rows, gather
from assets.analytics.copilot_findings import findings
from assets.analytics.copilot_words import Clock, alert_link, machine_link
from rules.messages import label_of
from warehouse.day_figures import day_figures
from warehouse.errors import FactoryOpsError, NotFoundError
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.queries import analytics
from warehouse.queries.alerts import AlertFilter, count_alerts, list_alerts
from warehouse.queries.history import history
from warehouse.queries.live import find_device, live_values
from warehouse.queries.ranges import usual_ranges

MOST_ROWS: Final = 24
LONGEST_TEXT: Final = 160
Link = tuple[str, str]
Row = dict[str, Any]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


Machine = Annotated[str | None, Field(max_length=100, description="key of the machine, as find_machines gives it; none: all machines")]
Hours = Annotated[int, Field(ge=1, le=24 * 31, description="how many hours back from now")]
Days = Annotated[int, Field(ge=1, le=31, description="how many days back, today included")]


class FindMachines(_Asked):
    """Machines with kind, area, state, health and open alerts, the worst first."""

    text: Annotated[str, Field(max_length=100, description="part of key, name, kind or area; empty: all")] = ""


class LiveValues(_Asked):
    """Newest value of each parameter of one machine, with what is usual for it."""

    machine: Annotated[str, Field(max_length=100)]


class History(_Asked):
    """One parameter of one machine over time."""

    machine: Annotated[str, Field(max_length=100)]
    parameter: Annotated[str, Field(max_length=100, description="key of the parameter, as live_values gives it")]
    hours: Hours = 24


class Alerts(_Asked):
    """Alerts that were raised, newest first, and how many there were."""

    machine: Machine = None
    hours: Hours = 24
    status: Literal["all", "active", "resolved"] = "all"


class Anomalies(_Asked):
    """Spans in which a machine was not as usual, newest first."""

    machine: Machine = None
    hours: Hours = 168


class FailureRisk(_Asked):
    """How probable a failure is, by machine and horizon, the most probable first; of one machine also how that went."""

    machine: Machine = None


class Energy(_Asked):
    """Energy, idle energy and cost by machine and in all."""

    machine: Machine = None
    days: Days = 7


class EnergyForecast(_Asked):
    """Energy that is expected, by day, of the factory or one machine."""

    machine: Machine = None


class Downtime(_Asked):
    """Hours in fault, failures and availability by machine."""

    machine: Machine = None
    days: Days = 7


class Findings(_Asked):
    """What stands out: machines that need attention, changes, alerts that belong together, waste."""

    days: Days = 7


@dataclass(frozen=True)
class Fact:
    """One numbered row that a tool gave."""

    id: str
    tool: str
    row: Row
    link: Link


@dataclass
class Tools:
    """The tools of one question of one factory, and every fact that they gave."""

    installation: Installation
    factory_id: int
    facts: dict[str, Fact] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clock = Clock(factory_zones(self.installation.db)[self.factory_id][1])

    def call(self, name: str, arguments: str) -> dict[str, Any]:
        """The answer of a tool as JSON: numbered facts, or what is wrong with the question. Never raises for what a model sends."""
        tool = _TOOLS.get(name)
        if tool is None:
            return {"error": f"there is no tool {clean(name)}; there are {', '.join(_TOOLS)}"}
        kind, run = tool
        try:
            rows = list(run(self, kind.model_validate_json(arguments or "{}")))
        except ValidationError as wrong:
            return {"error": "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong.errors())[:500]}
        except FactoryOpsError as problem:
            return {"error": clean(problem.message)}
        self.used.append(name)
        return {"facts": [self._noted(name, row, link) for row, link in rows]} if rows else {"facts": [], "note": "nothing was found"}

    def _noted(self, tool: str, row: Row, link: Link) -> Row:
        tidy = {key: _tidy(value) for key, value in row.items() if value is not None}
        fact = Fact(f"F{len(self.facts) + 1}", tool, tidy, link)
        self.facts[fact.id] = fact
        return {"id": fact.id, **tidy}

    def _ids(self, machine: str | None) -> list[int] | None:
        return None if machine is None else [self._device(machine)]

    def _device(self, machine: str) -> int:
        try:
            return find_device(self.installation.db, self.factory_id, device_key=machine).id
        except NotFoundError as unknown:
            raise NotFoundError(
                "there is no such machine in this factory; find_machines lists them", noun="device", key=machine
            ) from unknown

    @property
    def _now(self) -> datetime:
        return self.installation.clock.now()

    def _keys(self) -> dict[int, str]:
        return {row.id: row.device_key for row in device_rows(self.installation, self.factory_id)}

    def find_machines(self, asked: FindMachines) -> Iterator[tuple[Row, Link]]:
        """See FindMachines."""
        text = asked.text.lower()
        rows = device_rows(self.installation, self.factory_id)
        found = [r for r in rows if text in f"{r.device_key} {r.name} {r.kind} {r.region}".lower()]
        yield {"machines_found": len(found), "machines_in_factory": len(rows)}, ("machines", "/machines")
        for r in found[:MOST_ROWS]:
            power = None if r.power_w is None else r.power_w / 1000
            seen = None if r.last_seen is None else self._clock.at(r.last_seen)
            alerts = {f"open_{level}_alerts": number for level, number in r.alerts.items() if number}
            row = {"machine": r.device_key, "name": r.name, "kind": r.kind, "area": r.region, "state": r.state, "health": r.health}
            yield row | alerts | {"power_kw": power, "last_seen": seen}, machine_link(r.device_key)

    def live_values(self, asked: LiveValues) -> Iterator[tuple[Row, Link]]:
        """See LiveValues."""
        inst, device_id, now = self.installation, self._device(asked.machine), self._now
        usual = usual_ranges(inst.lake, self.factory_id, device_id, now - timedelta(days=7), now)
        for v in live_values(inst.db, self.factory_id, device_id, now, inst.settings.stale_after_seconds)[:MOST_ROWS]:
            label = label_of(v.parameter_key, v.display_name, v.unit)
            row: Row = {"machine": asked.machine, "parameter": v.parameter_key, "name": label.name, "unit": label.unit}
            row |= {"value": v.value if v.value is not None else v.text, "at": v.ts and self._clock.at(v.ts), "is_stale": v.is_stale}
            if v.parameter_key in usual:
                row |= {"usually_from": usual[v.parameter_key].low, "usually_to": usual[v.parameter_key].high}
            yield row, machine_link(asked.machine)

    def history(self, asked: History) -> Iterator[tuple[Row, Link]]:
        """See History."""
        inst, now, device_id = self.installation, self._now, self._device(asked.machine)
        step = timedelta(hours=max(1, -(-asked.hours // MOST_ROWS)))
        found = history(inst.lake, self.factory_id, [device_id], [asked.parameter], now - timedelta(hours=asked.hours), now, interval=step)
        about = {"machine": asked.machine, "parameter": asked.parameter}
        if found.is_empty():
            return
        whole = found.select(pl.col("mean").mean(), pl.col("min").min(), pl.col("max").max()).row(0, named=True)
        yield about | {"hours": asked.hours, **whole, "first": found["mean"][0], "last": found["mean"][-1]}, machine_link(asked.machine)
        for row in found.iter_rows(named=True):
            yield (
                about | {"from": self._clock.at(row["bucket"]), **{k: row[k] for k in ("mean", "min", "max")}},
                machine_link(asked.machine),
            )

    def alerts(self, asked: Alerts) -> Iterator[tuple[Row, Link]]:
        """See Alerts."""
        device_id = None if asked.machine is None else self._device(asked.machine)
        wanted = AlertFilter(asked.status, device_id=device_id, since=self._now - timedelta(hours=asked.hours), until=self._now)
        inst = self.installation
        total = count_alerts(inst.db, self.factory_id, wanted)
        yield {"alerts": total, "hours": asked.hours, "status": asked.status, "machine": asked.machine}, ("alerts", "/alerts?status=all")
        for a in list_alerts(inst.db, self.factory_id, wanted, limit=MOST_ROWS):
            row = {"alert": a.id, "machine": a.device_key, "severity": a.severity, "rule": a.title, "said": a.message, "status": a.status}
            ended = None if a.resolved_at is None else self._clock.at(a.resolved_at)
            yield row | {"raised_at": self._clock.at(a.triggered_at), "resolved_at": ended, "repeats": a.repeat_count}, alert_link(a.id)

    def anomalies(self, asked: Anomalies) -> Iterator[tuple[Row, Link]]:
        """See Anomalies."""
        start, keys = self._now - timedelta(hours=asked.hours), self._keys()
        found = analytics.anomalies(self.installation.lake, self.factory_id, start, self._now, self._ids(asked.machine))
        yield {"anomalies": found.height, "hours": asked.hours, "machine": asked.machine}, ("analyses", "/analytics")
        for r in found.head(MOST_ROWS).iter_rows(named=True):
            key = keys.get(r["device_id"], "")
            spans = {"from": self._clock.at(r["started_at"]), "to": self._clock.at(r["ended_at"])}
            yield {"machine": key, **spans, "times_its_limit": r["score"], "said": r["sentence"]}, machine_link(key)

    def failure_risk(self, asked: FailureRisk) -> Iterator[tuple[Row, Link]]:
        """See FailureRisk."""
        lake, keys, now = self.installation.lake, self._keys(), self._now
        found = analytics.latest_risks(lake, self.factory_id, now - timedelta(days=8), self._ids(asked.machine))
        for r in found.head(MOST_ROWS).iter_rows(named=True):
            key = keys.get(r["device_id"], "")
            row = {"machine": key, "within_hours": r["horizon_h"], "probability_percent": _percent(r["probability"])}
            life = {name: r[name] for name in ("remaining_life_h", "remaining_life_low_h", "remaining_life_high_h")}
            why = "; ".join(analytics.reason_sentences(r["reasons"])) or None
            yield row | life | {"said_at": self._clock.at(r["ts"]), "reasons": why}, machine_link(key)
        if asked.machine is not None and found.height:
            device_id, horizon = int(found["device_id"][0]), float(found["horizon_h"][-1])
            before = analytics.risk_history(lake, self.factory_id, device_id, horizon, now - timedelta(days=14), now)
            for r in before.tail(MOST_ROWS // 2).iter_rows(named=True):
                row = {"machine": asked.machine, "within_hours": horizon, "probability_percent": _percent(r["probability"])}
                yield row | {"said_at": self._clock.at(r["ts"])}, machine_link(asked.machine)

    def energy(self, asked: Energy) -> Iterator[tuple[Row, Link]]:
        """See Energy."""
        yield from self._days("energy_days", asked, ("kwh", "idle_kwh", "cost", "carbon_kg"), ("energy", "/energy"))

    def downtime(self, asked: Downtime) -> Iterator[tuple[Row, Link]]:
        """See Downtime."""
        sums = ("fault_s", "running_s", "idle_s", "off_s", "failures", "stops")
        yield from self._days("availability_days", asked, sums, ("availability", "/availability"))

    def _days(self, table: str, asked: Energy | Downtime, sums: tuple[str, ...], link: Link) -> Iterator[tuple[Row, Link]]:
        """Sums of day figures by machine, most of the first one first, after those of all machines."""
        keys, ids, start = self._keys(), self._ids(asked.machine), self._now - timedelta(days=asked.days)
        found = day_figures(self.installation.lake, self.factory_id, table, start, self._now)
        own = found.filter(pl.col("device_id").is_in(ids or list(keys)))
        summed = own.group_by("device_id").agg(pl.col(name).sum() for name in sums).sort(sums[0], "device_id", descending=[True, False])
        if summed.is_empty():
            return
        if asked.machine is None:
            yield {"days": asked.days, "all_machines": True, **_hours(summed.select(pl.col(*sums).sum()).row(0, named=True))}, link
        for r in summed.head(MOST_ROWS).iter_rows(named=True):
            key = keys.get(r.pop("device_id"), asked.machine or "")
            yield {"machine": key, "days": asked.days, **_hours(r)}, machine_link(key)

    def energy_forecast(self, asked: EnergyForecast) -> Iterator[tuple[Row, Link]]:
        """See EnergyForecast."""
        device_id = None if asked.machine is None else self._device(asked.machine)
        found = analytics.latest_forecast(self.installation.lake, self.factory_id, self._now, device_id)
        ahead = found.filter(pl.col("ts") >= self._now).with_columns(day=pl.col("ts").dt.truncate("1d"))
        for r in ahead.group_by("day", maintain_order=True).agg(pl.col("kwh", "cost").sum(), pl.col("model").first()).iter_rows(named=True):
            row = {"machine": asked.machine, "day": f"{r['day']:%-d %b}", "expected_kwh": r["kwh"], "expected_cost": r["cost"] or None}
            yield row | {"model": r["model"]}, ("analyses", "/analytics")

    def findings(self, asked: Findings) -> Iterator[tuple[Row, Link]]:
        """See Findings."""
        now, ids = self._now, list(self._keys())
        inputs = Inputs(self.installation, self.factory_id, ids, now - timedelta(days=asked.days), now)
        for finding in findings(gather(inputs, lambda _percent, _stage: None)):
            yield {"said": finding.sentence, **finding.facts}, finding.links[0]


_TOOLS: Final[dict[str, tuple[type[_Asked], Callable[..., Iterator[tuple[Row, Link]]]]]] = {
    "find_machines": (FindMachines, Tools.find_machines),
    "live_values": (LiveValues, Tools.live_values),
    "history": (History, Tools.history),
    "alerts": (Alerts, Tools.alerts),
    "anomalies": (Anomalies, Tools.anomalies),
    "failure_risk": (FailureRisk, Tools.failure_risk),
    "energy": (Energy, Tools.energy),
    "energy_forecast": (EnergyForecast, Tools.energy_forecast),
    "downtime": (Downtime, Tools.downtime),
    "findings": (Findings, Tools.findings),
}


def definitions() -> list[dict[str, Any]]:
    """The tools as the protocol describes them."""
    return [
        {"type": "function", "function": {"name": name, "description": kind.__doc__ or "", "parameters": kind.model_json_schema()}}
        for name, (kind, _) in _TOOLS.items()
    ]


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text from machines or people in one line, without control characters, cut."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _tidy(value: Any) -> Any:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(f"{value:.4g}") if value - value == 0 else None
    return clean(str(value), LONGEST_TEXT)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _hours(row: Row) -> Row:
    """Seconds as hours, because people say hours."""
    return {
        (f"{name[:-2]}_h" if name.endswith("_s") else name): (value / 3600 if name.endswith("_s") and value is not None else value)
        for name, value in row.items()
    }
