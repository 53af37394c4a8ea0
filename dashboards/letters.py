"""Messages that were refused: how many and why, what they say, taken in once more, or deleted."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from html import escape
from typing import Final

import streamlit as st

from dashboards import fmt, forms, resources, session, ui
from dashboards.fmt import Local
from ingest.reasons import REASONS
from ingest.replay import replay
from warehouse import dead_letters
from warehouse.dead_letters import Choice
from warehouse.models.streams import DeadLetter

PAGE_SIZE: Final = 20
LONGEST_SHOWN: Final = 2_000


def page(device_key: str = "") -> None:
    """Those of one machine, or of the whole factory: by reason at the left, one by one at the right."""
    who, local, inst = session.identity(), session.local(), resources.installation()
    counts = dead_letters.counts(inst.db, who.factory_id, device_key=device_key)
    if not counts:
        with st.container(key="card-letters"):
            text = "A message that cannot be taken in is kept here with the reason, and can be replayed once the reason is gone."
            ui.draw(ui.state_panel("ok", "check", "Nothing was refused", text))
        return
    left, right = st.columns([1, 1.6], gap="small")
    with left, st.container(key="card-reasons"):
        ui.draw(ui.section("Why", fmt.plural(sum(counts.values()), "message")))
        reason = st.radio(
            "Reason",
            ["", *counts],
            format_func=lambda code: f"{_title(code)} · {counts[code]:,}" if code else f"All · {sum(counts.values()):,}",
            label_visibility="collapsed",
            key=f"reason-{device_key}",
        )
        if reason:
            ui.draw(f"<p>{escape(REASONS.get(reason, reason))}</p>")
        choice = Choice(who.factory_id, reasons=(reason,) if reason else (), device_key=device_key)
        if who.may_work:
            _acts(choice, counts[reason] if reason else sum(counts.values()))
    with right, st.container(key="card-letters"):
        number = counts[reason] if reason else sum(counts.values())
        pages = -(-number // PAGE_SIZE)
        at = st.pagination(pages, key=f"letters-page-{device_key}-{reason}") if pages > 1 else 1
        for letter in dead_letters.chosen(inst.db, choice, limit=PAGE_SIZE, offset=(at - 1) * PAGE_SIZE):
            _letter(letter, local)


def _title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _acts(choice: Choice, number: int) -> None:
    with st.container(horizontal=True):
        if st.button("Replay", type="primary", icon=":material/replay:", key="letters-replay"):
            forms.attempt(partial(_replay, choice))
        question = f"{fmt.plural(number, 'message')} will be deleted for good."
        if forms.is_sure("Purge", question, "letters-purge"):
            forms.attempt(partial(_purge, choice))


def _replay(choice: Choice) -> None:
    inst = resources.installation()
    with st.spinner("Taking them in …"):
        done = replay(inst.db, inst.clock, timedelta(days=inst.settings.raw_retention_days), choice, forms.actor())
    stay = sum(done.still_refused.values())
    said = f"{fmt.plural(done.accepted, 'message')} taken in"
    st.toast(said + (f", {stay:,} still refused" if stay else ""), icon=":material/check:" if done.accepted else ":material/info:")


def _purge(choice: Choice) -> None:
    inst = resources.installation()
    number = dead_letters.purge(inst.db, choice, inst.clock.now(), forms.actor())
    st.toast(f"{fmt.plural(number, 'message')} deleted", icon=":material/check:")


def _letter(letter: DeadLetter, local: Local) -> None:
    """One message, closed; its payload is drawn when it is opened."""
    who = f"{letter.device_key or 'unknown machine'} · {_title(letter.reason)} · {local.time(letter.received_at)}"
    with st.expander(who):
        ui.draw(f"<p>{escape(REASONS.get(letter.reason, letter.reason))}</p>")
        if letter.detail:
            ui.draw(f"<p>{escape(letter.detail)}</p>")
        ui.draw(f"<small>{escape(letter.topic)} · {letter.payload_size:,} bytes · {escape(local.stamp(letter.received_at))}</small>")
        st.code(dead_letters.text_of(letter)[:LONGEST_SHOWN] or "(empty)", language=None, wrap_lines=True)
        if session.identity().may_work:
            only = Choice(letter.factory_id, ids=(letter.id,))
            with st.container(horizontal=True):
                _one("Replay", partial(_replay, only), f"replay-{letter.id}")
                _one("Delete", partial(_purge, only), f"purge-{letter.id}")


def _one(word: str, act: Callable[[], None], key: str) -> None:
    if st.button(word, key=key):
        forms.attempt(act)
