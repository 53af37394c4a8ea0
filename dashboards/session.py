"""Who this Streamlit session belongs to. The web server's guard has let them in; each run asks again."""

import streamlit as st

from dashboards import resources
from dashboards.fmt import Local
from warehouse.access.sessions import Identity, check_session

COOKIE = "factoryops_session"


def current_identity() -> Identity | None:
    """The person behind the cookie that came with the websocket, or None when that session is over.

    A tab may come back after somebody else signed in: what the earlier person chose is forgotten then.
    """
    token = st.context.cookies.get(COOKIE)
    inst = resources.installation()
    identity = check_session(inst.db, inst.settings, inst.clock, token, is_use=False) if token else None
    owner = identity.session_id if identity else None
    if st.session_state.get("owner", owner) != owner:
        st.session_state.clear()
    st.session_state["owner"] = owner
    return identity


def identity() -> Identity:
    """The person of this run; `app.py` has seen to it that there is one."""
    found = st.session_state.get("identity")
    if not isinstance(found, Identity):
        st.stop()
    return found


def local() -> Local:
    """The factory's clock, now."""
    return Local.at(resources.installation().clock.now(), identity().timezone)
