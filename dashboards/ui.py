"""Our own HTML pieces. Every function returns a string with all text escaped; `draw` puts one block on the page."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote

import streamlit as st

from dashboards import fmt, icons
from dashboards.fmt import Local
from warehouse.queries.alerts import AlertRow
from warehouse.queries.devices import DeviceRow
from warehouse.terms import SEVERITIES

STATE_WORDS = {"running": "Running", "idle": "Idle", "fault": "Fault", "off": "Off", "offline": "No data"}
VIEW = "view"
"""Where the session's state keeps which page is shown."""
MACHINE_COLUMNS = ("Status", "Machine", "Health", "Power, 8 h", "Now", "Alerts", "Last seen")


def draw(*parts: str) -> None:
    """One HTML block on the page."""
    st.html("".join(parts))


def escaped(text: str | None) -> str:
    """Text as HTML; nothing for None."""
    return escape(text or "")


def icon(name: str, extra: str = "") -> str:
    """A small shape; says nothing to screen readers, so a word must stand beside it."""
    return f'<i class="ic ic-{name} {extra}" aria-hidden="true"></i>'


def severity(level: str) -> str:
    """Shape, colour and word together, so that none of them is needed alone."""
    return f'<span class="sev {level}">{icon(level)}{level.capitalize()}</span>'


def state(name: str) -> str:
    """Shape and word of a machine's state."""
    return f'<span class="state {name}">{icon(name)}{STATE_WORDS[name]}</span>'


def moment(when: datetime, local: Local) -> str:
    """How long ago; the full moment on hover."""
    return f'<time title="{local.stamp(when)}">{local.ago(when)}</time>'


def link(url: str, body: str, cls: str = "") -> str:
    """An in-app link: session.js turns it into a Streamlit page change without a reload. `body` is HTML."""
    return f'<a class="nav {cls}" href="{escape(url, quote=True)}">{body}</a>'


def machine_url(device_key: str) -> str:
    """The page of a machine."""
    return f"/machine?device={quote(device_key, safe='')}"


def alert_url(alert_id: int, keep: str = "") -> str:
    """The page of an alert; `keep` is a query string of filters to keep."""
    return f"/alerts?{keep + '&' if keep else ''}id={alert_id}"


def spark(values: Sequence[float | None], label: str, cls: str = "", low: float | None = None) -> str:
    """A line without axes; the caller says in words what it shows. Missing values break the line."""
    known = [v for v in values if v is not None]
    if len(known) < 2:
        return f'<span class="spark none {cls}" role="img" aria-label="{escape(label, quote=True)}: no values"></span>'
    floor, top = min(known) if low is None else min(low, *known), max(known)
    # A value that hardly moves must not look like a storm: the line spans at least 2 % of its own height.
    size = max(top - floor, abs(top) * 0.02, 1e-9)
    step = 100 / (len(values) - 1)
    runs: list[list[str]] = [[]]
    for i, v in enumerate(values):
        if v is None:
            runs.append([])
        else:
            runs[-1].append(f"{i * step:.1f},{28 - 26 * (v - floor) / size:.1f}")
    style = "fill='none' stroke='#000' stroke-width='1.6' stroke-linejoin='round' vector-effect='non-scaling-stroke'"
    lines = "".join(f"<polyline points='{' '.join(run)}' {style}/>" for run in runs if len(run) > 1)
    url = icons.mask(lines, "0 0 100 30", stretch=True).replace('"', "&quot;")
    return f'<span class="spark {cls}" role="img" aria-label="{escape(label, quote=True)}" style="--s:{url}"></span>'


def health(score: int | None) -> str:
    """Neutral while fine; coloured only below 70 and 50."""
    if score is None:
        return '<span class="hb none"><b>—</b><span class="track"></span></span>'
    cls = "bad" if score < 50 else "poor" if score < 70 else ""
    return f'<span class="hb {cls}"><b>{score}</b><span class="track"><i style="width:{score}%"></i></span></span>'


def counts(found: dict[str, int]) -> str:
    """The non-zero severities of a machine, worst first."""
    shown = "".join(f'<span class="sev {s}" title="{n} {s}">{icon(s)}{n}</span>' for s, n in found.items() if n)
    return shown or '<span class="mute">—</span>'


def stack(parts: dict[str, int]) -> str:
    """A bar of parts; its legend must stand beside it in the same order."""
    return (
        '<div class="stack" aria-hidden="true">'
        + "".join(f'<i class="bg-{k}" style="flex:{n}"></i>' for k, n in parts.items() if n)
        + "</div>"
    )


def alert_row(a: AlertRow, local: Local, *, compact: bool = False, keep: str = "", is_picked: bool = False) -> str:
    """One alert; compact puts its age on the second line for narrow cards."""
    when = moment(a.triggered_at, local)
    who = (
        "Resolved by itself"
        if a.is_resolved_automatically
        else f"{escape(a.resolved_by or 'Somebody')} resolved it"
        if a.resolved_at
        else f"{escape(a.assigned_to or a.acknowledged_by)} has it"
        if a.assigned_to or a.acknowledged_at
        else "Silenced, nobody was told"
        if a.is_silenced
        else ""
    )
    times = (
        f' <span class="mute" title="Raised again {fmt.plural(a.repeat_count, "time")}">×{a.repeat_count + 1:,}</span>'
        if a.repeat_count
        else ""
    )
    owner = f"<small>{icon('check', 'tiny')} {who}</small>" if who and not compact else ""
    fact = f"{' · ' + escape(first_line(a.message)) if a.message and not compact else ''}"
    body = (
        f'{icon(a.severity, a.severity + "-f")}<span class="what"><b>{escape(a.device_key)}</b> {escape(a.title)}{times}'
        f'<small><span class="{a.severity}-t">{a.severity.capitalize()}</span>{fact}{" · " + when if compact else ""}</small>{owner}</span>'
        f"{'' if compact else when}"
    )
    return link(alert_url(a.id, keep), body, "feed-row on" if is_picked else "feed-row")


def first_line(text: str, longest: int = 110) -> str:
    """The beginning of a text, cut at a word."""
    line = text.strip().split("\n", 1)[0].replace(" AND ", ", ")
    return line if len(line) <= longest else line[:longest].rsplit(" ", 1)[0] + " …"


def section(title: str, right: str = "") -> str:
    """The first line of a card: title left, a link or fact right (HTML)."""
    return f'<div class="sec"><h2>{escape(title)}</h2><span>{right}</span></div>'


def state_panel(kind: str, glyph: str, title: str, text: str, action: str = "") -> str:
    """Empty, error, stale and forbidden share one anatomy: what happened, why, what to do now."""
    return f'<div class="panel {kind}">{icon(glyph)}<h3>{escape(title)}</h3><p>{escape(text)}</p>{action}</div>'


def bones(*widths: int) -> str:
    """The grey outline of what is being loaded; shows itself only after 300 ms (CSS)."""
    return '<div class="bones" aria-busy="true">' + "".join(f'<div class="bone" style="width:{w}%"></div>' for w in widths) + "</div>"


def machine_list(rows: Sequence[DeviceRow], trends: dict[int, list[float | None]], local: Local) -> str:
    """Machines as rows under one head."""
    head = "".join(f'<span class="{"r" if name in ("Now", "Last seen") else ""}">{name}</span>' for name in MACHINE_COLUMNS)
    return (
        f'<div class="mlist"><div class="mhead">{head}</div>'
        + "".join(machine_row(m, trends.get(m.id, []), local) for m in rows)
        + "</div>"
    )


def machine_row(m: DeviceRow, trend: list[float | None], local: Local) -> str:
    """One machine; on phones it becomes two lines (CSS)."""
    amount, unit = power(m.power_w)
    shown = f"{amount}<u>{unit}</u>" if m.power_w is not None else "—"
    seen = moment(m.last_seen, local) if m.last_seen else "<time>never</time>"
    place = " · ".join(escape(part) for part in (title_beside_key(m), m.region) if part)
    line = spark(trend, f"Power of {m.device_key}, last 8 hours", "gone" if m.is_offline else "calm", 0)
    body = (
        f'<span class="c-state">{state(m.state)}</span><span class="c-name"><b>{escape(m.device_key)}</b><small>{place}</small></span>'
        f'<span class="c-health">{health(m.health)}</span><span class="c-spark">{line}</span><span class="c-power n">{shown}</span>'
        f'<span class="c-alerts">{counts(m.alerts)}</span><span class="c-seen">{seen}</span>'
    )
    return link(machine_url(m.device_key), body, f"mrow {m.state}")


def title_beside_key(m: DeviceRow) -> str:
    """What to call a machine beside its key: its name, or its kind."""
    return m.name if m.name and m.name != m.device_key else m.kind


def power(watts: float | None) -> tuple[str, str]:
    """Number and unit of a power in watts: kW, and W below 100 W."""
    if watts is None:
        return "—", ""
    return (fmt.num(watts), "W") if 0 < abs(watts) < 100 else (fmt.num(watts / 1000), "kW")


def in_url(name: str, options: Sequence[str], *, many: bool = False, default: str | None = None) -> dict[str, Any]:
    """Arguments that tie a choice to the address. bind="query-params" would write the label ("Critical 2"), which breaks links."""
    asked = [v for v in st.query_params.get_all(name) if v in options]
    # With the page: a choice of the same name on another page is another widget, which Streamlit would begin without a value.
    view = st.session_state.get(VIEW)
    if name not in st.session_state or st.session_state.get(f"url-{name}") != (view, asked):
        st.session_state[name] = asked if many else asked[0] if asked else default
        st.session_state[f"url-{name}"] = (view, asked)

    def write() -> None:
        chosen = st.session_state[name] or []
        told: list[Any] = chosen if many else [chosen] if chosen else []
        st.query_params[name] = told
        st.session_state[f"url-{name}"] = (view, told)

    return {"key": name, "on_change": write}


def by_severity(found: Sequence[AlertRow]) -> dict[str, int]:
    """How many alerts of each severity, worst first."""
    return {s: sum(a.severity == s for a in found) for s in SEVERITIES}
