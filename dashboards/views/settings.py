"""How the factory is set up: its name and zone, shifts, energy price, how people are told, and when nobody is."""

from dashboards import forms, frame, session, settings_chains, settings_factory, settings_messages, settings_windows
from warehouse.access.sessions import Identity

DRAWN = {
    "": settings_factory.factory,
    "shifts": settings_factory.shifts,
    "energy": settings_factory.energy,
    "messages": settings_messages.messages,
    "escalation": settings_chains.chains,
    "windows": settings_windows.windows,
}


def words(who: Identity) -> dict[str, str]:
    """The tabs of the person, as the API gives the same rights: the factory is for super admins, who is told for those who make rules."""
    found = {"": "Factory", "shifts": "Shifts", "energy": "Energy price"} if who.role == "super_admin" else {}
    if who.may("create_rules"):
        found |= {"messages": "Messages", "escalation": "Escalation"}
    return found | {"windows": "Maintenance windows"}


frame.header("Factory settings")
shown = words(session.identity())
tab = forms.current_tab(shown)
forms.tabs("/settings", shown, tab)
DRAWN[tab]()
frame.tabbar("more")
