"""The overview below its head, made once for everybody of a factory who looks at it: HTML, and the chart's option."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from dashboards import cache, charts, fmt, loads, ui
from dashboards.axes import Option, Pairs
from dashboards.fmt import Local
from dashboards.overview_cards import Data, alerts_card, areas, health_card, machines_card, newest_alerts, plant_series, power_card
from warehouse.queries.energy import METER_KIND

WORST: Final = 8
LIVES_S: Final = 1.9
"""A bit less than the page's own pace: each refresh shows something new, and fifty pages cost one."""


@dataclass(frozen=True)
class Shown:
    """The parts that hold nothing personal."""

    cards: str
    power_head: str
    power: Option | None
    """None while the lake is away, or when nothing is measured: `power_head` then says so."""
    newest: str
    areas: str
    worst: str


def shown(data: Data, factory_id: int, local: Local) -> Shown:
    """What everybody sees who has the same theme; at most LIVES_S old."""
    theme = charts.theme()
    return cache.ask(("overview shown", theme), factory_id, LIVES_S, lambda: made(data, local, theme)).value


def made(data: Data, local: Local, theme: str) -> Shown:
    """The parts from what was loaded. Pure."""
    counted = {m.id for m in data.machines if m.kind != METER_KIND}
    worst = data.machines[:WORST]
    trends = loads.trends(data.power.value, local.now, [m.id for m in worst]) if data.power else {}
    with charts.in_theme(theme):
        head, option = power(data, counted, local)
    return Shown(
        cards=f'<div class="cards">{machines_card(data, counted, local)}{alerts_card(data)}{power_card(data, counted, local)}'
        f"{health_card(data)}</div>",
        power_head=head,
        power=option,
        newest=ui.section("Newest alerts", ui.link("/alerts", f"All {len(data.alerts)}") if data.alerts else "")
        + newest_alerts(data, local),
        areas=ui.section("Where the power goes", "now, by area") + areas(data, counted),
        worst=ui.section("Machines that need you first", ui.link("/machines", f"All {len(data.machines)}"))
        + ui.machine_list(worst, trends, local),
    )


def power(data: Data, counted: set[int], local: Local) -> tuple[str, Option | None]:
    """Plant power today over yesterday: what stands above the chart, and the chart. Pure but for the theme."""
    title = "Plant power today"
    if data.power is None:
        said = "The history store does not answer; trying again."
        return ui.section(title) + ui.state_panel("error", "high", "Power cannot be read now", said), None
    today, yesterday = plant_series(data.power.value, counted, local)
    if not today and not yesterday:
        said = "The chart begins with the first reading of a parameter “power”."
        return ui.section(title) + ui.state_panel("empty", "bolt", "No power measured yet", said), None
    peak = max(today, key=lambda point: point[1], default=None)
    note = f'<span class="hide-s">peak {fmt.num(peak[1])} kW at {peak[0]:%H:%M}</span>' if peak else ""
    end = (local.midnight + timedelta(hours=36)).replace(hour=0)
    lines: list[Pairs] = [[[local.wall(at), round(kw, 2)] for at, kw in line] for line in (today, yesterday)]
    return ui.section(title, note), charts.plant_power(lines[0], lines[1], local.wall(local.midnight), local.wall(end))
