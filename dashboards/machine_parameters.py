"""What a machine measures: which values stand on its page and in which order, and what people call them."""

from html import escape

import streamlit as st

from dashboards import fmt, forms, kpis, machine_data, resources, session, ui
from dashboards.fmt import Local
from warehouse.kpi_order import choose_kpis, kpi_order
from warehouse.models.devices import Device
from warehouse.parameters import LONGEST_NAME, LONGEST_UNIT, ParameterChange, change_parameter
from warehouse.queries.live import LiveValue


def parameters(device: Device) -> None:
    """The tab."""
    who, local = session.identity(), session.local()
    values = machine_data.live(who.factory_id, device.id, local.now).values
    if not values:
        with st.container(key="card-none"):
            text = "Every value that the machine sends appears here by itself, with its first message."
            ui.draw(ui.state_panel("empty", "clock", "Nothing received yet", text))
        return
    left, right = st.columns([1.4, 1], gap="small")
    with left, st.container(key="card-parameters"):
        ui.draw(ui.section("Everything it has sent", fmt.plural(len(values), "value")), table(values, local))
    with right:
        if not who.may_work:
            with st.container(key="card-look"):
                forms.look_only()
            return
        with st.container(key="card-shown"):
            ui.draw(ui.section("On its page, in this order"))
            _choose(device, values)
        with st.container(key="card-names"):
            ui.draw(ui.section("Name and unit"))
            _rename(device, values)


def _choose(device: Device, values: list[LiveValue]) -> None:
    inst = resources.installation()
    by_key = {v.parameter_key: v for v in values}
    order = kpi_order(inst.db, device.id)
    now = kpis.in_order([v for v in values if v.is_kpi_selected], order)
    with st.form("choose-kpis", border=False):
        chosen = st.multiselect(
            "Values; the order of choosing is the order on the page",
            list(by_key),
            [v.parameter_key for v in now],
            format_func=lambda key: kpis.name_of(by_key[key]) if key in by_key else key,
            key=f"kpis-{device.id}",
        )
        if st.form_submit_button("Save", type="primary"):
            forms.attempt(lambda: choose_kpis(inst.db, inst.clock, forms.actor(), device.id, chosen), "Saved, for all who look at it")


def _rename(device: Device, values: list[LiveValue]) -> None:
    inst = resources.installation()
    by_key = {v.parameter_key: v for v in values}
    key = st.selectbox("Value", list(by_key), format_func=lambda key: kpis.name_of(by_key[key]), key=f"rename-{device.id}")
    v = by_key[key]
    has_name = v.display_name != v.parameter_key
    with st.form(f"rename-{device.id}-{key}", border=False):
        name = st.text_input(
            "Name",
            v.display_name if has_name else "",
            max_chars=LONGEST_NAME,
            placeholder=kpis.name_of(v),
            key=f"name-{device.id}-{key}",
        )
        unit = st.text_input("Unit", v.unit, max_chars=LONGEST_UNIT, placeholder="°C", key=f"unit-{device.id}-{key}")
        st.caption(f"The machine calls it {key}. What it sends is not changed by this: only how it is shown.")
        if st.form_submit_button("Save", type="primary"):
            change = ParameterChange(name.strip(), unit.strip())
            forms.attempt(lambda: change_parameter(inst.db, inst.clock, forms.actor(), device.id, change, parameter_key=key), "Saved")


def table(values: list[LiveValue], local: Local) -> str:
    """All parameters with their newest value; numbers in, HTML out."""
    rows = ""
    for v in values:
        value, unit = kpis.scaled(v.value, v.unit)
        shown = escape(v.text[:40]) if v.text is not None else f"{fmt.num(value)}<u>{escape(unit)}</u>"
        rows += (
            f'<tr><td><b>{escape(kpis.name_of(v))}</b><small class="block">{escape(v.parameter_key)}</small></td>'
            f'<td class="r n">{shown}</td><td class="r">{ui.moment(v.ts, local) if v.ts else "never"}</td>'
            f"<td>{'On its page' if v.is_kpi_selected else ''}</td></tr>"
        )
    head = '<tr><th>Value</th><th class="r">Newest</th><th class="r">Measured</th><th>Shown</th></tr>'
    return f'<div class="scroll"><table class="plain"><thead>{head}</thead><tbody>{rows}</tbody></table></div>'
