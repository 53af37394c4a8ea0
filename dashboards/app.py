"""The shell of all pages: who is there, what may they see, navigation. Signing in is plain HTML outside Streamlit."""

from html import escape
from pathlib import Path

import streamlit as st

from dashboards import loads, session, ui
from warehouse.access.sessions import Identity

HERE = Path(__file__).parent
ROLES = {"super_admin": "administrator", "admin": "manager", "viewer": "viewer"}


def pages(active_alerts: int) -> dict[str, list[st.Page]]:
    """All pages; those without a place in the side bar are reached by links."""
    view = HERE / "views"
    count = f"  {active_alerts}" if active_alerts else ""
    return {
        "Monitor": [
            st.Page(view / "overview.py", title="Overview", icon=":material/dashboard:", default=True),
            st.Page(view / "machines.py", title="Machines", icon=":material/precision_manufacturing:", url_path="machines"),
            st.Page(view / "alerts.py", title=f"Alerts{count}", icon=":material/notifications:", url_path="alerts"),
            st.Page(view / "energy.py", title="Energy", icon=":material/bolt:", url_path="energy"),
            st.Page(view / "availability.py", title="Availability", icon=":material/timelapse:", url_path="availability"),
            st.Page(view / "reports.py", title="Reports", icon=":material/description:", url_path="reports"),
            st.Page(view / "machine.py", title="Machine", url_path="machine", visibility="hidden"),
            st.Page(view / "more.py", title="More", url_path="more", visibility="hidden"),
        ]
    }


def side_bar(who: Identity) -> None:
    """Which factory, who, and the way out."""
    st.logo(str(HERE / "static/icon.png"), size="medium", icon_image=str(HERE / "static/icon.png"))
    with st.sidebar:
        ui.draw(
            f'<div class="who"><b>{escape(who.factory_name)}</b><br>{escape(who.name)}, {ROLES.get(who.role, who.role)}'
            f'<button type="button" class="sign-out">{ui.icon("power-off")}Sign out</button></div>'
        )


st.set_page_config(page_title="FactoryOps", layout="wide", page_icon=str(HERE / "static/icon.png"))
found = session.current_identity()
if found is None:
    ui.draw(
        ui.state_panel("forbidden", "lock", "You are signed out", "This session has ended.", '<a href="/session/login">Sign in again</a>')
    )
    st.stop()
st.session_state["identity"] = found
page = st.navigation(pages(len(loads.active_alerts(found.factory_id))), position="sidebar", expanded=True)
side_bar(found)
page.run()
