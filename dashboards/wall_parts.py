"""Parts that only the wall shows. HTML; pure."""

from dashboards import fmt, ui
from dashboards.overview_cards import Data, energy_words


def nothing(glyph: str, words: str) -> str:
    """Good news, or the reason why nothing is shown, in large type."""
    return f'<div class="wall-none">{ui.icon(glyph)}<b>{ui.escaped(words)}</b></div>'


def steps(turn: int, count: int) -> str:
    """Which turn of how many."""
    return (
        '<div class="wall-steps" aria-hidden="true">'
        + "".join(f'<i class="{"on" if i == turn else ""}"></i>' for i in range(count))
        + "</div>"
    )


def energy_cards(data: Data) -> str:
    """Today against the same time yesterday."""
    if data.summary is None:
        return ui.state_panel("error", "high", "Energy cannot be read now", "The history store does not answer; trying again.")
    used, before = data.summary.value.energy_today_kwh, data.summary.value.energy_yesterday_kwh
    change = fmt.percent_change(used, before) or "—"
    return _card("Today so far", energy_words(used), change) + _card("Yesterday by now", energy_words(before), "")


def _card(title: str, value: str, fact: str) -> str:
    return f'<div class="card">{ui.section(title, fact)}<div class="row"><span class="big">{value}</span></div></div>'
