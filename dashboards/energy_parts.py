"""The cards and tables of the energy page: numbers in, HTML out."""

from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import quote

import polars as pl

from dashboards import fmt, ui
from dashboards.energy_data import NAMES, Data, shift_now
from dashboards.fmt import Local
from warehouse.queries.energy_use import Comparison, Tariff, by_group, carbon_kg, cost

MOST_MACHINES = 10
MWH_FROM_KWH = 10_000
MILLION = 1_000_000
NOTHING_BELOW_KWH = 0.1
"""Idling that nobody would do anything about."""
COLUMNS = ("Machine", "Energy", "Share", "Change", "While idle")
BEFORE = {"today": "yesterday by now", "shift": "the shift before, as far", "week": "last week by now", "month": "last month by now"}


def amount(kwh: float, most: float | None = None) -> tuple[str, str]:
    """Number and unit of an energy in kWh: MWh where it, or the `most` beside which it stands, is 10,000 kWh or more."""
    return (fmt.num(kwh / 1000), "MWh") if abs(kwh if most is None else most) >= MWH_FROM_KWH else (fmt.num(kwh), "kWh")


def energy(kwh: float, most: float | None = None) -> str:
    """An energy with its unit, as `amount`."""
    value, unit = amount(kwh, most)
    return f"{value}<u>{unit}</u>"


def plain(kwh: float) -> str:
    """An energy with its unit, without mark-up."""
    return " ".join(amount(kwh))


def cards(data: Data, local: Local) -> str:
    """Energy of each period against the one before it."""
    return (
        '<div class="cards in-order">' + "".join(_card(name, found, data, local) for name, found in data.compared.value.items()) + "</div>"
    )


def _card(name: str, found: Comparison, data: Data, local: Local) -> str:
    change = fmt.percent_change(found.kwh, found.before_kwh)
    shift = shift_now(local, data.clock) if name == "shift" else None
    title = f"{NAMES[name]}, {shift.name}" if shift else NAMES[name]
    chip = f'<span class="chip">{ui.icon("up" if found.kwh > found.before_kwh else "down", "tiny")}{change}</span>' if change else ""
    now = f"{fmt.num(data.now_kw)} kW now" if name == "today" else ""
    before = plain(found.before_kwh) if found.before_kwh else "not measured"
    return (
        f'<div class="card">{ui.section(title, now)}<div class="row"><span class="big" data-fact="energy-{name}">{energy(found.kwh)}</span>'
        f'{chip}</div><div class="foot-line"><span>{BEFORE[name].capitalize()}</span><b>{before}</b></div></div>'
    )


def costs(data: Data, local: Local) -> str:
    """What the range cost and emitted, each against the range before; or how a tariff is set."""
    tariff = data.tariff
    if tariff is None:
        text = "Cost and carbon appear here once the factory has a tariff: factoryops import tariff FILE --factory NAME"
        return ui.state_panel("empty small", "bolt", "No tariff is set", text)
    zone = local.zone.key
    by_band, before = cost(data.inside, tariff, zone), cost(data.before, tariff, zone)
    total, total_before = sum(by_band.values()), sum(before.values())
    lines = "".join(
        f"<span>{escape(_band(name))}<b>{_money(money, tariff)}</b></span>" for name, money in sorted(by_band.items(), key=_rest_last)
    )
    change = fmt.percent_change(total, total_before)
    carbon = carbon_kg(data.inside, tariff)
    lines += f"<span>Carbon dioxide<b>{fmt.num(carbon / 1000)} t</b></span>" if carbon else ""
    chip = f'<span class="chip">{ui.icon("up" if total > total_before else "down", "tiny")}{change}</span>' if change else ""
    return (
        f'<div class="row"><span class="big" data-fact="cost">{_money(total, tariff)}</span>{chip}</div><div class="lines">{lines}</div>'
        f'<div class="foot-line"><span>The same time before</span><b>{_money(total_before, tariff)}</b></div>'
    )


def _rest_last(band: tuple[str, float]) -> tuple[bool, float]:
    return band[0] == "otherwise", -band[1]


def _band(name: str) -> str:
    return "All other hours" if name == "otherwise" else name.capitalize()


def _money(value: float, tariff: Tariff) -> str:
    """Millions from a million on: there are currencies of small units."""
    shown, unit = (value / 1e6, f"M {tariff.currency}") if abs(value) >= MILLION else (value, tariff.currency)
    return f"{fmt.num(shown)}<u>{escape(unit)}</u>"


def machines(data: Data) -> str:
    """Which machines drew most, how much of it while idle, and against the range before."""
    used, before = _by_device(data.inside), _by_device(data.before)
    idle, total = data.idle_kwh(), sum(used.values())
    names = {m.id: m for m in data.machines}
    top = sorted((d for d in used if d in names), key=lambda d: -used[d])[:MOST_MACHINES]
    head = "".join(f'<span class="{"" if name == COLUMNS[0] else "r"}">{name}</span>' for name in COLUMNS)
    rows = "".join(
        ui.link(
            ui.machine_url(names[d].device_key),
            f'<span class="c-name"><b>{escape(names[d].device_key)}</b><small>{escape(ui.title_beside_key(names[d]))}</small></span>'
            f'<span class="n r">{energy(used[d])}</span><span class="n r">{fmt.num(100 * used[d] / total, 2)}<u>%</u></span>'
            f'<span class="n r">{fmt.percent_change(used[d], before.get(d, 0)) or "—"}</span>'
            f'<span class="n r">{energy(idle[d]) if idle.get(d, 0) >= NOTHING_BELOW_KWH else "—"}</span>',
            "erow",
        )
        for d in top
    )
    return f'<div class="elist"><div class="ehead">{head}</div>{rows}</div>'


def _by_device(hours: pl.DataFrame) -> dict[int, float]:
    return dict(hours.group_by("device_id").agg(pl.col("kwh").sum()).iter_rows())


def areas(data: Data) -> str:
    """Energy of each area, most first."""
    found = by_group(data.inside, {m.id: m.region or "No area" for m in data.machines})
    return bars(dict(sorted(found.items(), key=lambda item: -item[1])[:8]), _area_url)


def _area_url(area: str) -> str:
    return f"/machines?area={quote(area)}" if area != "No area" else "/machines"


def idling(data: Data) -> str:
    """Who wastes energy while idle, most first."""
    if data.states is None:
        return ui.state_panel("small", "clock", "Being added up", "The states of every minute are looked at; this takes a moment.")
    idle = data.idle_kwh()
    keys = {m.id: m.device_key for m in data.machines}
    found = {keys[d]: kwh for d, kwh in list(idle.items())[:6] if d in keys and kwh >= NOTHING_BELOW_KWH}
    if not found:
        return ui.state_panel("ok", "check", "No energy was drawn while idle", "Machines were running, off, or not measured.")
    return bars(found, ui.machine_url)


def bars(found: Mapping[str, float], url: Callable[[str], str]) -> str:
    """Names with an energy and a bar each."""
    most = max(found.values(), default=0) or 1
    rows = "".join(
        ui.link(
            url(name),
            f'<span class="row"><b>{escape(name)}</b><span>{energy(kwh, most)}</span></span>'
            f'<span class="bar"><i style="width:{100 * kwh / most:.0f}%"></i></span>',
        )
        for name, kwh in found.items()
    )
    return f'<div class="reasons">{rows}</div>'
