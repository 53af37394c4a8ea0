"""Find a machine, or find out which machines need work; add machines, one, many, or those that already send."""

from dashboards import device_keys, forms, frame, machine_import, machine_list, machine_new, session
from dashboards.machine_list import live


def words() -> dict[str, str]:
    """The tabs of the person: viewers add nothing."""
    found = {"": "All machines"}
    if session.identity().may_work:
        unknown = len(machine_list.unknown(session.identity().factory_id))
        found |= {"add": "Add", "import": "Import", "unknown": f"Seen but unknown{f'  {unknown}' if unknown else ''}"}
    return found | {"off": "Switched off"}


frame.header("Machines")
shown = words()
tab = forms.current_tab(shown)
forms.tabs("/machines", shown, tab)
device_keys.show_once()
{
    "": live,
    "add": machine_new.add,
    "import": machine_import.page,
    "unknown": machine_new.unknown,
    "off": machine_list.switched_off,
}[tab]()
frame.tabbar("machines")
