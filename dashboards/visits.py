"""The visit of the person who is signed in: noted when they open a page, so that the overview can tell what changed since."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Final

import streamlit as st

from dashboards import fmt, resources, session, ui
from dashboards.cache import ask, ask_lake
from dashboards.fmt import Local
from warehouse.errors import RetryableError
from warehouse.health import factory_health
from warehouse.queries.changes import Changes, changes_since, scores_at
from warehouse.queries.devices import DeviceRow
from warehouse.visits import note_visit, set_sound

BEFORE, SOUND = "visit-before", "visit-sound"
FIRST_LOOKS_BACK: Final = timedelta(hours=24)
"""Somebody who was never here sees the last day."""
MOST_NAMES: Final = 4
HEALTH_MATTERS: Final = 15
"""Points by which a machine's health must have changed to be told."""


@dataclass(frozen=True)
class Since:
    """What changed since the person's last visit."""

    since: datetime
    is_first: bool
    changes: Changes
    silent: list[DeviceRow]
    """Machines that went silent since."""
    health_before: int | None
    health_now: int
    fallen: list[tuple[DeviceRow, int]]
    """Machines that are much worse now, with their score then, the worst first."""


def note() -> None:
    """Called once a page is opened; a page that refreshes by itself is no visit."""
    who, inst = session.identity(), resources.installation()
    found = note_visit(inst.db, inst.clock, who.factory_id, who.user_id)
    st.session_state[BEFORE] = found.before_at
    st.session_state.setdefault(SOUND, found.wants_sound)


def wants_sound() -> bool:
    """Whether new critical alerts make a sound for this person."""
    return bool(st.session_state.get(SOUND))


def remember_sound(*, is_wanted: bool) -> None:
    """Keeps the choice for all screens of this person."""
    who, inst = session.identity(), resources.installation()
    set_sound(inst.db, inst.clock, who.factory_id, who.user_id, is_wanted=is_wanted)
    st.session_state[SOUND] = is_wanted


def since_last_visit(factory_id: int, machines: Sequence[DeviceRow]) -> Since:
    """Everything that the card shows; at most 10 s old."""
    before: datetime | None = st.session_state.get(BEFORE)
    inst = resources.installation()
    since = before or inst.clock.now() - FIRST_LOOKS_BACK
    minute = since.replace(second=0, microsecond=0)
    changes = ask(("changes", minute if before is None else since), factory_id, 10, lambda: changes_since(inst.db, factory_id, since)).value
    try:
        scores = ask_lake(("scores at", minute), factory_id, 300, lambda: scores_at(inst.lake, factory_id, since)).value
    except RetryableError:
        scores = {}  # the card then says nothing of health; the rest of it stands
    offline_after = timedelta(minutes=inst.settings.offline_after_minutes)
    silent = [m for m in machines if m.is_offline and m.last_seen is not None and m.last_seen + offline_after >= since]
    known = [(m, scores[m.id]) for m in machines if m.id in scores and m.health is not None and scores[m.id] - m.health >= HEALTH_MATTERS]
    now = factory_health((m.alerts, m.is_offline, m.importance) for m in machines).score
    fallen = sorted(known, key=lambda pair: (pair[0].health, pair[0].device_key))
    return Since(since, before is None, changes, silent, scores.get(None), now, fallen[:2])


def card(found: Since, local: Local) -> str:
    """The card. Pure."""
    rows = [*_alerts(found), *_health(found), *_silent(found), *_rules(found, local)]
    if not rows:
        text = "No new alerts, no machine went silent, nobody changed a rule."
        rows = [ui.state_panel("ok", "check", "Nothing changed", text)]
    title = "The last 24 hours" if found.is_first else "Since your last visit"
    when = "" if found.is_first else f'<time title="{local.stamp(found.since)}">{local.ago(found.since)}</time>'
    return ui.section(title, when) + f'<div class="feed" data-changes="{len(rows)}">{"".join(rows)}</div>'


def _row(url: str, glyph: str, title: str, text: str, tone: str = "") -> str:
    body = f'{ui.icon(glyph, tone)}<span class="what">{title}<small>{text}</small></span>'
    return ui.link(url, body, "feed-row")


def _alerts(found: Since) -> list[str]:
    raised, resolved = found.changes.raised, found.changes.resolved
    total = sum(raised.values())
    rows = []
    if total:
        worst = ", ".join(f"{number:,} {level}" for level, number in raised.items() if number)
        rows.append(_row("/alerts?status=all", "bell", fmt.plural(total, "new alert"), worst))
    if resolved:
        rows.append(_row("/alerts?status=resolved", "check", f"{fmt.plural(resolved, 'alert')} resolved", "with what helped"))
    return rows


def _health(found: Since) -> list[str]:
    rows = [
        _row(ui.machine_url(m.device_key), "down", f"<b>{escape(m.device_key)}</b> health {before} → {m.health}", _worst_alert(m))
        for m, before in found.fallen
    ]
    if found.health_before is not None and found.health_before != found.health_now:
        glyph = "up" if found.health_now > found.health_before else "down"
        change = found.health_now - found.health_before
        rows.append(_row("/machines", glyph, f"Plant health {found.health_before} → {found.health_now}", f"{fmt.signed(change)} points"))
    return rows


def _worst_alert(m: DeviceRow) -> str:
    worst = next(((level, number) for level, number in m.alerts.items() if number), None)
    return f"{fmt.plural(worst[1], f'{worst[0]} alert')} open" if worst else "no open alert"


def _silent(found: Since) -> list[str]:
    if not found.silent:
        return []
    keys = ", ".join(escape(m.device_key) for m in found.silent[:MOST_NAMES])
    more = f" and {len(found.silent) - MOST_NAMES} more" if len(found.silent) > MOST_NAMES else ""
    return [_row("/machines?state=offline", "offline", f"{fmt.plural(len(found.silent), 'machine')} went silent", keys + more, "high-f")]


def _rules(found: Since, local: Local) -> list[str]:
    rows = [
        _row(
            f"/rule?id={one.rule_id}&tab=versions" if one.word != "deleted" else "/rules",
            "rule",
            f"Rule {f'“{escape(one.name)}” ' if one.name else ''}{one.word}",
            f"{escape(one.by)}, {local.ago(one.happened_at)}",
        )
        for one in found.changes.rules[:2]
    ]
    rest = len(found.changes.rules) - 2 + found.changes.more_rules
    return rows + ([_row("/rules", "rule", f"{fmt.plural(rest, 'other rule')} changed", "see the list")] if rest > 0 else [])
