"""How the person who is signed in wants to hear of alerts, for each channel."""

from datetime import time
from functools import partial
from typing import Any, Final

import streamlit as st

from dashboards import alarm, resources, session, ui
from dashboards.alert_parts import CHANNEL_WORDS
from dashboards.forms import attempt
from rules.notify.wishes import DIGEST_MINUTES, Wish, set_wish, wishes_of

EVERY_DAY: Final = list(range(1, 8))
DAYS: Final = {1: "Mon", 2: "Tue", 3: "Wed", 4: "Thu", 5: "Fri", 6: "Sat", 7: "Sun"}
LEAST: Final = {"low": "All alerts", "medium": "Medium and worse", "high": "High and worse", "critical": "Critical only"}
TOGETHER: Final = {
    "": "Each at once",
    "low": "Low ones together",
    "medium": "Low and medium ones together",
    "high": "All but critical together",
}


def wishes() -> None:
    """The tab: one card a channel."""
    who, inst = session.identity(), resources.installation()
    with st.container(key="card-sound"):
        ui.draw(ui.section("On screen", "a new critical alert also shows as a note on every page"))
        alarm.sound_choice()
    columns = st.columns(2, gap="small")
    for column, wish in zip(columns, wishes_of(inst.db, who.factory_id, who.user_id), strict=True):
        with column, st.container(key=f"card-wish-{wish.channel}"):
            ui.draw(ui.section(CHANNEL_WORDS[wish.channel], "escalations always come"))
            with st.form(f"wish-{wish.channel}", border=False):
                asked = _form(wish)
                if st.form_submit_button("Save", type="primary"):
                    attempt(partial(set_wish, inst.db, inst.clock, who.factory_id, who.user_id, asked), "Saved", in_passing=True)


def _form(wish: Wish) -> Wish:
    """The fields of a channel with what holds now."""

    def key(name: str) -> str:
        return f"wish-{wish.channel}-{name}"

    is_on = st.toggle("Tell me here", wish.is_on, key=key("on"))
    least = st.selectbox(
        "Which alerts?", list(LEAST), list(LEAST).index(wish.least_severity), format_func=LEAST.__getitem__, key=key("least")
    )
    together = st.selectbox(
        "How?", list(TOGETHER), list(TOGETHER).index(wish.digest_up_to or ""), format_func=TOGETHER.__getitem__, key=key("digest")
    )
    every = st.number_input(
        "Together every so many minutes", DIGEST_MINUTES[0], DIGEST_MINUTES[-1], wish.digest_every_minutes, 5, key=key("every")
    )
    hours = _hours(wish.hours, key)
    all_clear = st.toggle("Tell me when it is over", wish.wants_all_clear, key=key("clear"))
    return Wish(wish.channel, is_on, least, hours, together or None, int(every), all_clear)


def _hours(known: Any, key: Any) -> dict[str, Any] | None:
    """Factory hours, or None for any hour."""
    limited = st.toggle("Only in these hours; critical alerts come at any time", known is not None, key=key("limited"))
    window = {"start_time": "06:00", "end_time": "18:00", **(known or {})}
    with st.container(horizontal=True, gap="xsmall", key=key("hours")):
        start = st.time_input("From", _clock(window["start_time"]), key=key("start"))
        end = st.time_input("Until", _clock(window["end_time"]), key=key("end"))
    days = st.pills(
        "Days", list(DAYS), default=window.get("days", EVERY_DAY), format_func=DAYS.__getitem__, selection_mode="multi", key=key("days")
    )
    if not limited:
        return None
    return {"start_time": f"{start:%H:%M}", "end_time": f"{end:%H:%M}", "days": sorted(days) or EVERY_DAY}


def _clock(text: str) -> time:
    """`24:00`, which ends a day, is the last minute here."""
    return time(23, 59) if text == "24:00" else time.fromisoformat(text)
