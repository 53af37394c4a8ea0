"""On phones: who am I, and the way out. The side bar has the same on large screens."""

from html import escape

import streamlit as st

from dashboards import frame, pages, person, session, ui

who, local = session.identity(), session.local()
frame.header("More")
with st.container(key="card-pages"):
    further = [page for page in pages.offered(who) if page.url not in {url for _, url, _, _ in frame.TABS}]
    rows = "".join(ui.link(page.url, f'{ui.icon("right")}<span class="what"><b>{page.title}</b></span>', "feed-row") for page in further)
    ui.draw(f'<div class="feed">{rows}</div>')
with st.container(key="card-more"):
    facts = (
        ("Factory", who.factory_name),
        ("Signed in as", who.name),
        ("E-mail", who.email),
        ("Time zone", f"{who.timezone.replace('_', ' ')}, {local.clock} now"),
        ("Session ends", local.stamp(who.expires_at)),
    )
    ui.draw('<dl class="facts">' + "".join(f"<dt>{a}</dt><dd>{escape(b)}</dd>" for a, b in facts) + "</dl>")
    ui.draw(f'<div class="only-phone">{person.switch(who)}{person.themes()}</div>')
    ui.draw(f'<button type="button" class="sign-out wide">{ui.icon("power-off")}Sign out</button>')
frame.tabbar("more")
