"""The cards and tables of the availability page: numbers in, HTML out."""

from datetime import datetime
from html import escape

import polars as pl

from dashboards import fmt, ui
from dashboards.availability_data import Data
from warehouse.queries.devices import DeviceRow
from warehouse.queries.oee import Oee
from warehouse.queries.states import Availability

WORDS = {"running": "Running", "idle": "Idle", "fault": "Fault", "off": "Off", "nodata": "No data"}
COLUMNS = ("Machine", "What it did", "Available", "Down", "Failures", "MTBF", "OEE")


def percent(share: float | None) -> str:
    """A share as percent with its unit."""
    return "—" if share is None else f"{fmt.num(100 * share)}<u>%</u>"


def duration(seconds: float | None) -> str:
    """A duration, or a dash."""
    return "—" if seconds is None else fmt.span(seconds)


def cards(data: Data) -> str:
    """Availability, failures, repair and OEE of the whole plant."""
    whole = data.whole
    parts = {"running": whole.running_s, "idle": whole.idle_s, "fault": whole.fault_s, "off": whole.off_s, "nodata": whole.nodata_s}
    total = sum(parts.values()) or 1
    shares = "".join(
        f"<span><span>{WORDS[name]}</span><b>{fmt.num(100 * seconds / total, 2)} %</b></span>" for name, seconds in parts.items() if seconds
    )
    bar = ui.stack({name: round(1000 * seconds / total) for name, seconds in parts.items()})
    return (
        '<div class="cards in-order">'
        f'<div class="card">{ui.section("Availability")}<span class="big" data-fact="availability">{percent(whole.availability)}</span>'
        f'{bar}<div class="legend">{shares}</div></div>'
        f'<div class="card">{ui.section("Failures")}<span class="big" data-fact="failures">{whole.failures:,}</span>'
        f'<div class="lines"><span>Time in fault<b>{duration(whole.fault_s)}</b></span><span>All stops<b>{whole.stops:,}</b></span></div>'
        f'<div class="foot-line"><span>Counted from critical alerts</span></div></div>'
        f'<div class="card">{ui.section("Between failures", "MTBF")}<span class="big">{duration(whole.mtbf_s)}</span>'
        f'<div class="lines"><span>Mean time to repair<b>{duration(whole.mttr_s)}</b></span></div>'
        f'<div class="foot-line"><span>Running time of all machines over failures</span></div></div>'
        f"{_oee_card(list(data.found.value.oee.values()))}</div>"
    )


def _oee_card(found: list[Oee]) -> str:
    known = [each.oee for each in found if each.oee is not None]
    good, bad = sum(each.good_parts for each in found), sum(each.rejected_parts for each in found)
    head = f'<div class="card">{ui.section("OEE", fmt.plural(len(known), "machine") + " counting parts")}'
    if not known:
        return (
            head
            + ui.state_panel("empty small", "machine", "No machine counts parts", "OEE needs good_parts and rejected_parts.")
            + "</div>"
        )
    return (
        f'{head}<span class="big" data-fact="oee">{percent(sum(known) / len(known))}</span>'
        f'<div class="lines"><span>Good parts<b>{good:,.0f}</b></span><span>Rejected parts<b>{bad:,.0f}</b></span></div>'
        f'<div class="foot-line"><span>Quality</span><b>{fmt.num(100 * good / (good + bad)) if good + bad else "—"} %</b></div></div>'
    )


def machines(data: Data) -> str:
    """A strip a machine of what it did, worst availability first."""
    found = data.found.value
    rows = sorted((m for m in data.machines if m.id in found.times), key=lambda m: _worst(found.times[m.id], m))
    head = "".join(f'<span class="{"r" if n > 1 else "tl" if n else ""}">{name}</span>' for n, name in enumerate(COLUMNS))
    lines = "".join(_row(m, found.times[m.id], found.oee.get(m.id), strip(found.states, m.id, found.start, found.end)) for m in rows)
    return f'<div class="alist"><div class="ahead">{head}</div>{lines}</div>'


def _worst(times: Availability, m: DeviceRow) -> tuple[float, str]:
    return (2.0 if times.availability is None else times.availability, m.device_key)


def _row(m: DeviceRow, times: Availability, made: Oee | None, line: str) -> str:
    body = (
        f'<span class="c-name"><b>{escape(m.device_key)}</b><small>{escape(ui.title_beside_key(m))}</small></span>{line}'
        f'<span class="n r">{percent(times.availability)}</span><span class="n r">{duration(times.fault_s or None)}</span>'
        f'<span class="n r">{times.failures or "—"}</span><span class="n r">{duration(times.mtbf_s)}</span>'
        f'<span class="n r parts">{percent(made.oee if made else None)}</span>'
    )
    return ui.link(ui.machine_url(m.device_key), body, "arow")


def strip(states: pl.DataFrame, device_id: int, start: datetime, end: datetime, steps: int = 96) -> str:
    """One machine's states as a bar of time: in each of `steps` the state that a person must not miss, fault before the most frequent."""
    own = states.filter(pl.col("device_id") == device_id)
    length = (end - start) / steps
    cells: list[str] = []
    rows = own.select("begin", "end", "state").rows()
    first = 0
    for number in range(steps):
        begin, until = start + number * length, start + (number + 1) * length
        while first < len(rows) and rows[first][1] <= begin:
            first += 1
        spent: dict[str, float] = {}
        for span_begin, span_end, state in rows[first:]:
            if span_begin >= until:
                break
            spent[state] = spent.get(state, 0.0) + (min(span_end, until) - max(span_begin, begin)).total_seconds()
        cells.append("fault" if "fault" in spent else max(spent, key=spent.__getitem__, default="nodata"))
    runs: list[tuple[str, int]] = []
    for cell in cells:
        runs[-1:] = [(cell, runs[-1][1] + 1)] if runs and runs[-1][0] == cell else [*runs[-1:], (cell, 1)]
    bars = "".join(f'<i class="bg-{state}" style="flex:{count}" title="{WORDS[state]}"></i>' for state, count in runs)
    said = ", ".join(f"{WORDS[s].lower()} {100 * sum(n for name, n in runs if name == s) // steps} %" for s in WORDS if s in cells)
    return f'<span class="tl fine" role="img" aria-label="{said}">{bars}</span>'


def key() -> str:
    """What the colours of the strips mean."""
    return (
        '<div class="key" style="margin-left:0">'
        + "".join(f'<span><i class="bg-{n}"></i>{word}</span>' for n, word in WORDS.items())
        + "</div>"
    )


def reasons(data: Data) -> str:
    """Why machines stood in fault, most lost time first, with the running total (Pareto)."""
    found = data.found.value.reasons.head(8)
    if not found.height:
        return ui.state_panel("ok", "check", "No machine stood in fault", "No critical alert took time in this range.")
    most = float(found["lost_s"][0]) or 1
    rows = "".join(
        f'<div><span class="row"><b>{escape(reason)}</b><span>{fmt.span(seconds)}</span></span>'
        f'<span class="bar"><i style="width:{100 * seconds / most:.0f}%"></i></span>'
        f"<small>{fmt.plural(stops, 'stop')} · {fmt.num(100 * cumulative, 2)} % with those above</small></div>"
        for reason, stops, seconds, _, cumulative in found.iter_rows()
    )
    return f'<div class="reasons">{rows}</div>'
