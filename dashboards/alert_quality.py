"""How good the alarm system is: ISA-18.2's measures, and whom to look at first."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from html import escape
from typing import Any, Final
from urllib.parse import quote

import streamlit as st

from dashboards import charts, fmt, resources, session, ui
from dashboards.cache import ask
from dashboards.charts import Limit
from dashboards.fmt import Local
from warehouse.queries.alarm_board import Actor, AlarmBoard, alarm_board
from warehouse.queries.alarm_quality import FLOOD_ABOVE

PERIODS: Final = {"day": "24 hours", "week": "7 days", "month": "30 days"}
DAYS: Final = {"day": 1, "week": 7, "month": 30}
GOOD_PER_HOUR: Final = 6
MOST_PER_HOUR: Final = 12
"""What one person can work through: IEC 62682 calls up to 6 an hour very likely acceptable, 12 the most that is manageable."""


@st.fragment(run_every="30s")
def quality() -> None:
    """The tab."""
    who, local = session.identity(), session.local()
    tied = ui.in_url("period", list(PERIODS))
    st.session_state[tied["key"]] = st.session_state[tied["key"]] or "week"
    chosen = st.segmented_control("Period", list(PERIODS), format_func=PERIODS.__getitem__, label_visibility="collapsed", **tied)
    board = _board(who.factory_id, chosen or "week")
    ui.draw(cards(board))
    with st.container(key="card-rate"):
        ui.draw(ui.section("Alerts an hour", f"most manageable: {MOST_PER_HOUR}"))
        charts.show(rate_chart(board, local), 200, "alert-rate", f"Alerts in each hour, {PERIODS[chosen or 'week']}")
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-actors"):
        ui.draw(ui.section("Top ten", top_share(board)), actors(board.bad_actors))
    with right, st.container(key="card-nuisance"):
        ui.draw(ui.section("Chattering", "three or more within 10 min"), listed(board.chattering, "No alert chatters.", count))
        ui.draw(ui.section("Stale", "active for over 24 h"), listed(board.stale, "No alert is older than a day.", age))
        ui.draw(ui.section("Floods", f"{fmt.num(100 * board.flood_share, 2)} % of the time"), floods(board, local))


def _board(factory_id: int, period: str) -> AlarmBoard:
    inst = resources.installation()
    now = inst.clock.now()
    return ask(
        ("alarm_board", period), factory_id, 15, lambda: alarm_board(inst.db, factory_id, now - timedelta(days=DAYS[period]), now)
    ).value


def cards(board: AlarmBoard) -> str:
    """Four figures, each beside what it should be."""
    m, silent = board.measures, f" · {board.silenced} silenced" if board.silenced else ""
    parts = (
        card("Alerts an hour", (fmt.num(m.per_hour, 2), ""), fmt.plural(m.total, "alert") + silent, f"goal: at most {GOOD_PER_HOUR}"),
        card("Most in 10 min", (str(m.most_in_10_min), ""), fmt.plural(len(board.floods), "flood"), f"goal: at most {FLOOD_ABOVE}"),
        card("Until acknowledged", minutes(board.mean_acknowledge_min), "on average", critical_share(board)),
        card("Until resolved", minutes(board.mean_resolve_min), "on average", f"{m.never_acknowledged} never looked at"),
    )
    return f'<div class="cards in-order">{"".join(parts)}</div>'


def card(title: str, value: tuple[str, str], fact: str, foot: str) -> str:
    """A figure with its unit, a fact, and what it should be."""
    return (
        f'<div class="card">{ui.section(title)}<div class="row"><span class="big">{value[0]}<u>{value[1]}</u></span>'
        f'<small>{escape(fact)}</small></div><div class="foot-line"><span>{escape(foot)}</span></div></div>'
    )


def minutes(value: float | None) -> tuple[str, str]:
    """A mean time as number and unit."""
    if value is None:
        return "—", ""
    return (fmt.num(value), "min") if value < 90 else (fmt.num(value / 60), "h")


def critical_share(board: AlarmBoard) -> str:
    """How many critical alerts were looked at in time."""
    share = board.measures.acknowledged_in_time["critical"]
    return "no critical alerts" if share is None else f"critical within 10 min: {fmt.num(100 * share, 2)} %"


def top_share(board: AlarmBoard) -> str:
    """What the top ten make of all."""
    shares = [one.share for one in board.bad_actors if one.share is not None]
    return f"{fmt.num(100 * sum(shares), 2)} % of all" if shares else ""


def actors(found: Sequence[Actor]) -> str:
    """Bars, the longest first."""
    if not found:
        return ui.state_panel("ok small", "check", "No alerts", "Nothing asked for attention in this time.")
    most = max(one.count for one in found)
    rows = "".join(
        ui.link(
            alerts_of(one),
            f'<span class="row"><b>{escape(one.device_key)} · {escape(one.rule_name)}</b><span>{one.count:,}</span></span>'
            f'<span class="bar"><i style="width:{100 * one.count / most:.0f}%"></i></span>',
        )
        for one in found
    )
    return f'<div class="reasons">{rows}</div>'


def listed(found: Sequence[Actor], none: str, words: Callable[[Actor], str]) -> str:
    """One line each, or a word that there is none."""
    if not found:
        return f'<div class="row"><small>{escape(none)}</small></div>'
    rows = "".join(
        ui.link(
            ui.alert_url(one.alert_id) if one.alert_id else alerts_of(one),
            f"<span>{escape(one.device_key)} · {escape(one.rule_name)}</span><b>{words(one)}</b>",
        )
        for one in found[:8]
    )
    rest = f'<div class="row"><small>and {len(found) - 8} more</small></div>' if len(found) > 8 else ""
    return f'<div class="lines">{rows}</div>{rest}'


def count(one: Actor) -> str:
    """How often it asked."""
    return f"{one.count:,} times"


def age(one: Actor) -> str:
    """Since when it stands."""
    return fmt.span(one.count * 3600)


def floods(board: AlarmBoard, local: Local) -> str:
    """When there was too much at once."""
    if not board.floods:
        return '<div class="row"><small>Never more than ten alerts within ten minutes.</small></div>'
    rows = "".join(
        f'<span><span><time title="{local.stamp(one.start)}">{local.time(one.start)}</time> for '
        f"{fmt.span((one.end - one.start).total_seconds())}</span><b>{one.count:,} alerts</b></span>"
        for one in sorted(board.floods, key=lambda one: one.start, reverse=True)[:5]
    )
    return f'<div class="lines">{rows}</div>'


def alerts_of(one: Actor) -> str:
    """The list of its alerts."""
    return f"/alerts?status=all&machine={quote(one.device_key, safe='')}"


def rate_chart(board: AlarmBoard, local: Local) -> dict[str, Any]:
    """Bars of each hour; the limit of what one person can work through."""
    data = [[local.wall(start), count] for start, count in board.by_hour]
    most = max((count for _, count in board.by_hour), default=0)
    bar = {"name": "Alerts", "type": "bar", "data": data, "itemStyle": {"color": charts.SERIES[0]}, "barMaxWidth": 14}
    limit = charts.limit_line(Limit(MOST_PER_HOUR, f"{MOST_PER_HOUR} an hour", "high"))
    bar["markLine"] = {"silent": True, "symbol": "none", "data": [limit] if most >= MOST_PER_HOUR / 2 else []}
    return {
        **charts.base(top=14, bottom=24),
        "xAxis": charts.time_axis(local.wall(board.start), local.wall(board.end)),
        "yAxis": charts.value_axis("", min=0, minInterval=1),
        "series": [bar],
    }
