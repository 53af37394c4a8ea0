"""The machines in detail, five to a page."""

import polars as pl

from assets.reporting import measures
from assets.reporting.author import Report
from assets.reporting.blocks import plain
from assets.reporting.charts.telemetry import device_rows, panel_parameters
from assets.reporting.sections.opening import with_data

A_PAGE = 5


@with_data
def telemetry(report: Report) -> None:
    """Small multiples: what rules watch, with limits and alerts; power last."""
    run, t = report.run, report.t
    shown = [device for device in run.detail if panel_parameters(run, device)]
    if not shown:
        return
    title = t("Telemetry") if len(shown) == len(run.keys) else t("Telemetry of {count} machines in detail", count=len(shown))
    report.heading(title)
    if len(shown) < len(run.keys):
        report.lead(
            t("The machines with the most serious alerts, then those that draw the most energy. Every panel shows the same period.")
        )
    pages = [shown[i : i + A_PAGE] for i in range(0, len(shown), A_PAGE)]
    drawn = dict(zip(shown, device_rows(run, shown), strict=True))
    for number, devices in enumerate(pages, start=1):
        last = number == len(pages)
        note = t("Line: mean of the interval. Shade: lowest and highest reading in it. Dashed: the limit of a rule in the colour of its "
                 "severity. Octagon, triangle: critical and high alerts. Hatched: no data. Grey ground: weekend.")  # fmt: skip
        report.multiples(
            [_row(report, device, drawn[device]) for device in devices],
            _caption(report, devices),
            f"fig-telemetry-{number}",
            note if last else None,
        )


def _caption(report: Report, devices: list[int]) -> str:
    run, t = report.run, report.t
    serious = {d: sum(run.counts.get(d, {}).get(level, 0) for level in ("critical", "high")) for d in devices}
    worst = max(devices, key=lambda d: serious[d])
    if not serious[worst] and len(devices) == 1:
        return t("{machine}: no critical or high alert", machine=report.name(worst))
    if not serious[worst]:
        return t("{first} to {last}: no critical or high alert", first=report.name(devices[0]), last=report.name(devices[-1]))
    return t("{machine} had the most critical and high alerts of these: {count}", machine=report.name(worst), count=serious[worst])


def _row(report: Report, device: int, svg: str) -> dict[str, object]:
    run, t, w = report.run, report.t, report.w
    counts = run.counts.get(device, {})
    total = sum(counts.values())
    worst = next((level for level in ("critical", "high") if counts.get(level)), None)
    facts: list[object] = [{"sev": worst}] if worst else []
    facts.append(t("1 alert") if total == 1 else t("{count} alerts", count=total))
    facts.append(t("{share} % available", share=w.percent(run.hours_by_device[device].availability)))
    facts.append(t("health {score}", score=measures.health_of(counts)))
    keys = panel_parameters(run, device)
    names = dict(run.parameters.filter(pl.col("device_id") == device).select("parameter", "name").iter_rows())
    alt = t("{machine}: {parameters} over the period; {count} critical or high alerts are marked.", machine=run.keys[device],
            parameters=", ".join(t(names.get(key, key)) for key in keys), count=sum(counts.get(level, 0) for level in ("critical", "high")))  # fmt: skip
    return {
        "title": report.name(device),
        "sub": plain(run.device_rows[device]["kind"]),
        "facts": facts,
        "svg": svg,
        "alt": alt,
    }
