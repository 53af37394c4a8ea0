"""One's own account: password, second factor, where one is signed in, keys for programs."""

import streamlit as st

from dashboards import account_forms, frame, session, ui

who = session.identity()
frame.header("Your account")
left, right = st.columns(2, gap="small")
with left:
    with st.container(key="card-second-factor"):
        ui.draw(ui.section("Second factor"))
        account_forms.factor()
    with st.container(key="card-password"):
        ui.draw(ui.section("Password"))
        account_forms.password()
with right:
    with st.container(key="card-sign-ins"):
        ui.draw(ui.section(f"Sign-ins of {who.name}"))
        account_forms.sign_ins()
    with st.container(key="card-keys"):
        ui.draw(ui.section("Keys for programs"))
        account_forms.keys()
frame.tabbar("more")
