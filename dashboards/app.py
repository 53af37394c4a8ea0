"""The shell of all pages: who is there, what may they see, navigation. Signing in is plain HTML outside Streamlit."""

from html import escape
from pathlib import Path

import streamlit as st

from dashboards import frame, loads, pages, person, session, ui, visits
from dashboards.pages import Page, may_open
from warehouse.access.sessions import Identity

HERE = Path(__file__).parent
ROLES = {"super_admin": "administrator", "admin": "manager", "viewer": "viewer"}


def drawn_pages(who: Identity, active_alerts: int) -> dict[str, list[st.Page]]:
    """All pages by section. Those that the person may not open have an address too: it says so, instead of leading elsewhere."""
    count = f"  {active_alerts}" if active_alerts else ""
    sections: dict[str, list[st.Page]] = {}
    for page in pages.PAGES:
        is_first = page == pages.PAGES[0]
        sections.setdefault(page.section, []).append(
            st.Page(
                HERE / "views" / f"{page.view}.py",
                title=page.title + (count if page.view == "alerts" else ""),
                icon=f":material/{page.icon}:" if page.icon else None,
                url_path=None if is_first else page.view,
                default=is_first,
                visibility="visible" if page.icon and may_open(who, page) else "hidden",
            )
        )
    return sections


def side_bar(who: Identity) -> None:
    """Which factory, who, and the way out."""
    st.logo(str(HERE / "static/icon.png"), size="medium", icon_image=str(HERE / "static/icon.png"))
    with st.sidebar:
        ui.draw(
            f'<div class="who"><b>{escape(who.factory_name)}</b><br>{escape(who.name)}, {ROLES.get(who.role, who.role)}'
            f"{person.switch(who)}{person.themes()}"
            f'<button type="button" class="sign-out">{ui.icon("power-off")}Sign out</button></div>'
        )


def closed(page: Page) -> None:
    """What somebody sees who may not open a page."""
    frame.header(page.title)
    say = f"{page.title} is for {pages.LEVELS[page.needs]}. A super admin of your factory can change what you may do."
    ui.draw(ui.state_panel("forbidden", "lock", "You may not open this page", say, ui.link("/", "To the overview")))
    frame.tabbar(page.view)


st.set_page_config(page_title="FactoryOps", layout="wide", page_icon=str(HERE / "static/icon.png"))
found = session.current_identity()
if found is None:
    ui.draw(
        ui.state_panel("forbidden", "lock", "You are signed out", "This session has ended.", '<a href="/session/login">Sign in again</a>')
    )
    st.stop()
st.session_state["identity"] = found
chosen = st.navigation(drawn_pages(found, len(loads.active_alerts(found.factory_id))), position="sidebar", expanded=True)
entry = next(page for page in pages.PAGES if page.view == (chosen.url_path or pages.PAGES[0].view))
st.session_state[ui.VIEW] = entry.view
if entry.view != "wall":
    # A screen on the wall shows nothing personal, and is nobody's visit.
    side_bar(found)
    visits.note()
if may_open(found, entry):
    chosen.run()
else:
    closed(entry)
