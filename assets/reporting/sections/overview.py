"""The plant at a glance: every machine in one table, time lost, availability by day and area."""

from typing import Any

import polars as pl

from assets.reporting import measures
from assets.reporting.author import Report
from assets.reporting.blocks import plain
from assets.reporting.charts.plant import MOST_AREAS, area_days, availability_by_day, time_lost
from assets.reporting.sections.opening import with_data
from warehouse.queries.availability import STATES

HEALTH_LOW = 70


@with_data
def overview(report: Report, *, new: bool = True) -> None:
    """The whole section."""
    run, t, w = report.run, report.t, report.w
    report.heading(t("Plant overview"), new=new)
    report.lead(
        t("The {count} machines were running {share} % of the time that they were on and known. {fault} hours were lost to faults, {unknown} hours are unknown.",
          count=len(run.keys), share=w.percent(run.hours.availability), fault=w.num(run.hours.fault), unknown=w.num(run.hours.nodata))
    )  # fmt: skip
    report.block("legend")
    machines(report)
    _lost(report)
    if len(run.areas) > 1:
        _areas(report)
    changes(report)


def machines(report: Report) -> None:
    """One row a machine, grouped by area, with sums."""
    run, t = report.run, report.t
    rows: list[Any] = []
    for area, devices in run.areas.items():
        part = measures.hours_of(run.states.filter(pl.col("device_id").is_in(devices)))
        kwh = _sum(run.energy, [d for d in devices if d not in run.metered])
        if len(run.areas) > 1 or area:
            note = t("{count} machines · availability {share} % · {energy} MWh", count=len(devices), share=report.w.percent(part.availability),
                     energy=_mwh(report, kwh))  # fmt: skip
            rows.append({"group": plain(area) or t("No area"), "note": note})
        rows += [_machine(report, device) for device in devices]
    if len(run.keys) > 1:
        before = run.total_kwh_before
        change = (run.total_kwh / before - 1) * 100 if run.total_kwh is not None and before else None
        rows.append(
            {"total": _cells(report, t("Plant"), str(len(run.keys)), run.hours, run.total_kwh, change, str(run.alerts.height), None)}
        )
    many = len(run.keys) > 60
    report.table(
        t("Machine|Kind|Share of the period|Fault h|No data h|Avail. %|Energy MWh|Δ on before, %|Alerts|Health"), "lllrrrrrll",
        "22mm 24mm 32mm 11mm 13mm 12mm 13mm 1fr 17mm 12mm", rows, t("State, energy, alerts and health of every machine"), "tbl-plant",
        size=7.2, pad=1.5 if many else 1.8, gap=[8, 9],
        note=t("Alerts: sign and number of the most severe kind, then all. Health: 0 to 100, formula in the glossary. “—” means none or "
               "unknown. Δ: energy against the period before."),
    )  # fmt: skip


def _machine(report: Report, device: int) -> list[Any]:
    run = report.run
    counts = run.counts.get(device, {})
    total = sum(counts.values())
    worst = next((level for level in ("critical", "high") if counts.get(level)), None)
    alerts: Any = {"mark": worst, "text": f"{counts[worst]} / {total}"} if worst else str(total) if total else None
    now, before = run.energy.get(device), run.energy_before.get(device)
    change = (now / before - 1) * 100 if now is not None and before else None
    heard = run.hours_by_device[device].nodata < run.hours_by_device[device].total
    health = measures.health_of(counts) if heard else None
    return _cells(
        report,
        f"**{report.name(device)}**",
        plain(run.device_rows[device]["kind"]),
        run.hours_by_device[device],
        now,
        change,
        alerts,
        health,
    )


def _cells(
    report: Report, name: str, kind: str, hours: measures.Hours, kwh: float | None, change: float | None, alerts: Any, health: int | None
) -> list[Any]:
    w = report.w
    shown: Any = None
    if health is not None:
        shown = {"mark": "critical" if health < 50 else "high", "text": f"**{health}**"} if health < HEALTH_LOW else str(health)
    return [
        name, kind, {"states": hours.shares}, w.num(hours.fault) if hours.fault else None, w.num(hours.nodata) if hours.nodata else None,
        w.percent(hours.availability), _mwh(report, kwh), w.signed(change), alerts, shown,
    ]  # fmt: skip


def _mwh(report: Report, kwh: float | None) -> str:
    return report.w.num(kwh / 1000 if kwh is not None else None)


def _sum(energy: dict[int, float | None], devices: list[int]) -> float | None:
    known = [kwh for device in devices if (kwh := energy.get(device)) is not None]
    return sum(known) if known else None


def _lost(report: Report) -> None:
    run, t, w = report.run, report.t, report.w
    worst = sorted(((run.keys[d], h.fault) for d, h in run.hours_by_device.items() if h.fault), key=lambda item: (-item[1], item[0]))[:8]
    if not worst:
        if len(run.days) > 1:
            report.figure(
                availability_by_day(run), t("No machine was in fault; availability by day"), _availability_alt(report), "fig-faults"
            )
        return
    top = sum(hours for _, hours in worst[:3])
    caption = (
        t("{machine} holds all of the time in fault", machine=plain(worst[0][0]))
        if len(worst) == 1
        else t("{count} machines hold {share} % of the time in fault", count=min(3, len(worst)), share=w.percent(top / run.hours.fault, 0))
    )
    names = ", ".join(f"{name} {w.num(hours)} h" for name, hours in worst[:3])
    alt = t("Left: hours in fault, led by {names}. Right: availability by day.", names=names) + " " + _availability_alt(report)
    report.figure(time_lost(run, worst), caption, alt, "fig-faults")


def _availability_alt(report: Report) -> str:
    known = [share for day in report.run.by_day if (share := measures.hours_of(day).availability) is not None]
    if not known:
        return report.t("Availability is unknown on every day.")
    return report.t(
        "Availability by day lies between {low} and {high} percent.", low=report.w.percent(min(known)), high=report.w.percent(max(known))
    )


def _areas(report: Report) -> None:
    run, t, w = report.run, report.t, report.w
    shares = {
        area: measures.hours_of(run.states.filter(pl.col("device_id").is_in(devices))) for area, devices in run.areas.items()
    }  # fmt: skip
    known = {area: hours.availability for area, hours in shares.items() if hours.availability is not None}
    if len(run.days) > 1 and known:
        best, worst = max(known, key=lambda a: known[a] or 0), min(known, key=lambda a: known[a] or 0)
        caption = t("{best} runs most of its time, {worst} least", best=plain(best) or t("No area"), worst=plain(worst) or t("No area"))
        alt = t("One small chart for each of the {count} largest areas of availability per day; the area’s line stands over the others in grey.",
                count=min(len(run.areas), MOST_AREAS))  # fmt: skip
        note = t("Availability per day, %. Petrol: the area; grey: the others. The number is that of the last day.")
        report.figure(area_days(run), caption, alt, "fig-areas", note)
    rows: list[Any] = []
    for area, hours in shares.items():
        before = (
            measures.hours_of(run.states_before.filter(pl.col("device_id").is_in(run.areas[area]))).availability
            if run.had_data_before
            else None
        )
        rows.append(
            [
                plain(area) or t("No area"),
                str(len(run.areas[area])),
                *_hours(report, hours),
                w.percent(hours.availability),
                w.percent(before),
                _change(report, hours.availability, before),
            ]
        )
    before = measures.hours_of(run.states_before).availability if run.had_data_before else None
    rows.append(
        {
            "total": [
                t("Plant"),
                str(len(run.keys)),
                *_hours(report, run.hours),
                w.percent(run.hours.availability),
                w.percent(before),
                _change(report, run.hours.availability, before),
            ]
        }
    )
    report.table(t("Area|Machines|Running h|Idle h|Off h|Fault h|No data h|Avail. %|Before %|Change, points"), "lrrrrrrrrr",
                 "34mm 1fr 1fr 1fr 1fr 1fr 1fr 1fr 1fr 1.1fr", rows, t("Hours by state and area"), "tbl-hours")  # fmt: skip


def _hours(report: Report, hours: measures.Hours) -> list[str | None]:
    return [report.w.num(value) if (value := getattr(hours, state)) else None for state in STATES]


def _change(report: Report, now: float | None, before: float | None) -> str:
    return "—" if now is None or before is None else report.w.signed((now - before) * 100)


def changes(report: Report) -> None:
    """The machines whose energy changed most."""
    run, t, w = report.run, report.t, report.w
    known = [
        (d, now, before)
        for d, now in run.energy.items()
        if now is not None and (before := run.energy_before.get(d)) and d not in run.metered
    ]
    if len(known) < 2:
        return
    largest = sorted(known, key=lambda item: -abs(item[1] / item[2] - 1))[:6]
    rows = [
        [f"**{report.name(d)}**", _mwh(report, before), _mwh(report, now), w.signed((now / before - 1) * 100),
         w.signed(measures.hours_of(run.states.filter(pl.col("device_id") == d)).running - measures.hours_of(run.states_before.filter(pl.col("device_id") == d)).running)]
        for d, now, before in largest
    ]  # fmt: skip
    report.table(t("Machine|Before MWh|Now MWh|Change %|Change of running time, h"), "lrrrr", "38mm 1fr 1fr 1fr 1.3fr", rows,
                 t("The largest changes of energy, and whether running time explains them"), "tbl-changes")  # fmt: skip


@with_data
def energy_changes(report: Report) -> None:
    """The same as a part of the energy report."""
    changes(report)
