"""The card of one live value: name and age, value, where it lies in its range, its last hour, and a word."""

from collections.abc import Sequence
from html import escape

from dashboards import fmt, ui
from dashboards.fmt import Local
from dashboards.limits import RuleLimit
from dashboards.machine_data import Live
from rules.messages import label_of
from warehouse.queries.live import LiveValue
from warehouse.queries.ranges import UsualRange

MOST_COLUMNS = 6
COUNTED = frozenset({"pcs", "pieces", "parts", "rpm"})
TONES = {"critical": "bad", "high": "warn", "stale": "gone"}


def cards(live: Live, local: Local) -> str:
    """All selected values as a grid: as people ordered them, else those with a limit first."""
    selected = [v for v in live.values if v.is_kpi_selected]
    shown = in_order(selected, live.order) if live.order else sorted(selected, key=lambda v: v.parameter_key not in live.limits)
    rows = -(-len(shown) // MOST_COLUMNS) or 1
    return (
        f'<div class="kpis" style="--columns:{-(-len(shown) // rows)}">'
        + "".join(
            card(v, live.usual.get(v.parameter_key), live.last_hour.get(v.parameter_key, []), live.limits.get(v.parameter_key, []), local)
            for v in shown
        )
        + "</div>"
    )


def in_order(values: list[LiveValue], order: Sequence[str]) -> list[LiveValue]:
    """As people chose; what came since stands behind, as it comes. Pure."""
    place = {key: number for number, key in enumerate(order)}
    return sorted(values, key=lambda v: place.get(v.parameter_key, len(place)))


def card(v: LiveValue, usual: UsualRange | None, last_hour: Sequence[float | None], limits: Sequence[RuleLimit], local: Local) -> str:
    """One value."""
    value, unit = scaled(v.value, v.unit)
    factor = _factor(v.unit, v.value)
    broken = next((limit for limit in limits if v.value is not None and limit.is_beyond(v.value)), None)
    level = "stale" if v.is_stale else broken.severity if broken else ""
    age = local.age(v.ts) if v.ts else "never"
    name = escape(name_of(v))
    clock = ui.icon("clock") if v.is_stale else ""
    line = ui.spark([*last_hour, None if v.is_stale else v.value], f"{name_of(v)}, last hour", TONES.get(level, "calm"))
    return (
        f'<div class="kpi {level}" data-parameter="{escape(v.parameter_key, quote=True)}"><span class="name" title="{name}">'
        f'<span class="cut">{name}</span><span class="mute">{clock} {age}</span></span>'
        f'<span class="val n">{_shown(v, value)}<u>{escape(unit)}</u></span>{_range(v, usual, limits)}{line}'
        f'<span class="foot">{_word(level, broken)}<span>{_fact(usual, limits, broken, factor, unit)}</span></span></div>'
    )


def name_of(v: LiveValue) -> str:
    """What people call the parameter; a bare key is made readable."""
    return label_of(v.parameter_key, v.display_name, v.unit).name


def scaled(value: float | None, unit: str) -> tuple[float | None, str]:
    """Watts from 1,000 on as kW; everything else as it is."""
    factor = _factor(unit, value)
    return (None if value is None else value * factor), ("kW" if factor != 1 else unit)


def _factor(unit: str, value: float | None) -> float:
    return 0.001 if unit == "W" and value is not None and abs(value) >= 1000 else 1


def _shown(v: LiveValue, value: float | None) -> str:
    if value is None and v.text is not None:
        return escape(v.text[:40])
    # Pieces are counted, not measured.
    return f"{value:,.0f}" if value is not None and v.unit in COUNTED and value.is_integer() else fmt.num(value)


def _range(v: LiveValue, usual: UsualRange | None, limits: Sequence[RuleLimit]) -> str:
    """The usual band, and where the value lies: the analogue of ISA-101."""
    if usual is None or v.value is None:
        return '<div class="range none"></div>'
    points = [usual.least, usual.greatest, v.value, *(limit.threshold for limit in limits)]
    low, high = min(points), max(points)
    size = high - low or 1
    low, high = low - size * 0.04, high + size * 0.04

    def at(x: float) -> float:
        return 100 * (x - low) / (high - low)

    label = f"{name_of(v)} {fmt.num(v.value)} {v.unit}, usually {fmt.num(usual.low)} to {fmt.num(usual.high)}"
    return (
        f'<div class="range" role="img" aria-label="{escape(label, quote=True)}">'
        f'<i style="left:{at(usual.low):.0f}%;right:{100 - at(usual.high):.0f}%"></i><b style="left:{at(v.value):.0f}%"></b></div>'
    )


def _word(level: str, broken: RuleLimit | None) -> str:
    if level == "stale":
        return "<span>Stale, not live</span>"
    if broken is None:
        return "<span>Normal</span>"
    return f'<span title="{escape(broken.rule_name, quote=True)}">{ui.severity(level)}</span>'


def _fact(usual: UsualRange | None, limits: Sequence[RuleLimit], broken: RuleLimit | None, factor: float, unit: str) -> str:
    limit = broken or (limits[0] if limits else None)
    if limit is not None:
        return f"{'limit' if limit.is_upper else 'at least'} {fmt.exact(limit.threshold * factor)}"
    if usual is None:
        return ""
    low, high = (f"{v:,.0f}" if unit in COUNTED else fmt.num(v, 2) for v in (usual.low * factor, usual.high * factor))
    return f"usually {low}–{high}"
