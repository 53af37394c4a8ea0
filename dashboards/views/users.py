"""Who works with this factory's data, and what they did: people, their rights, sign-ins, keys, and the audit trail."""

from dashboards import audit_page, forms, frame, people_access, people_page

TABS = {"": "People", "invite": "Invite", "sign-ins": "Sign-ins", "keys": "Keys", "audit": "Audit trail"}

frame.header("Users")
tab = forms.current_tab(TABS)
forms.tabs("/users", TABS, tab)
{
    "": people_page.people,
    "invite": people_page.invite,
    "sign-ins": people_access.sign_ins,
    "keys": people_access.keys,
    "audit": audit_page.audit,
}[tab]()
frame.tabbar("more")
