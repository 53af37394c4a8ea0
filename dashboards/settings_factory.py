"""The factory itself: name and zone, how long its data are kept, its shifts, and what its energy costs."""

from datetime import time
from functools import cache
from typing import Final, Literal
from zoneinfo import available_timezones

import streamlit as st

from dashboards import forms, resources, session, ui
from warehouse.factory_settings import LONGEST_NAME, change_factory, change_retention, change_tariff
from warehouse.queries.energy_use import Band, Tariff
from warehouse.queries.summary import factory_of
from warehouse.retention import retention
from warehouse.shifts import GRID_MINUTES, MOST_SHIFTS, Shift, set_shifts, shifts_of
from warehouse.tariffs import tariff_of

LEVEL_WORDS: Final = {
    "raw": "Every reading",
    "1m": "Sums of each minute",
    "5m": "Sums of five minutes",
    "1h": "Sums of each hour",
    "1d": "Sums of each day",
}
DAYS: Final = {
    "Every day": (0, 1, 2, 3, 4, 5, 6),
    "Monday to Friday": (0, 1, 2, 3, 4),
    "Monday to Saturday": (0, 1, 2, 3, 4, 5),
    "Saturday and Sunday": (5, 6),
    "Sunday": (6,),
}
NO_TARIFF: Final = Tariff("EUR", 0.0)


@cache
def zones() -> list[str]:
    """All IANA zones that are places, in order."""
    return ["UTC", *sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "posix/", "right/")))]


def factory() -> None:
    """Name, zone and retention."""
    who, inst = session.identity(), resources.installation()
    known = factory_of(inst.db, who.factory_id)
    left, right = st.columns(2, gap="small")
    with left, st.container(key="card-factory"):
        ui.draw(ui.section("Name and time zone"))
        with st.form("factory", border=False):
            name = st.text_input("Name", known.name, max_chars=LONGEST_NAME, key="factory-name")
            choices = zones() if known.timezone in zones() else [known.timezone, *zones()]
            zone = st.selectbox("Time zone", choices, choices.index(known.timezone), key="factory-zone")
            st.caption(
                f"Days, shifts and all times follow it. After a change the last {inst.settings.raw_retention_days} days are summed up "
                f"anew; older days keep their borders. In addresses and topics the factory stays “{known.slug}”."
            )
            if st.form_submit_button("Save", type="primary"):
                days = inst.settings.raw_retention_days
                forms.attempt(lambda: change_factory(inst.db, inst.lake, inst.clock, forms.actor(), name, zone, raw_days=days), "Saved")
    with right, st.container(key="card-retention"):
        ui.draw(ui.section("How long data are kept"))
        _retention()


def _retention() -> None:
    who, inst = session.identity(), resources.installation()
    raw_days = inst.settings.raw_retention_days
    kept = retention(inst.db, raw_days)
    with st.form("retention", border=False):
        chosen: dict[str, int | None] = {}
        for level, word in LEVEL_WORDS.items():
            now = kept.of_factory.get(who.factory_id, {}).get(level, kept.days[level])
            days = st.number_input(f"{word}, days", 1, 36_500, now, placeholder="for ever", key=f"keep-{level}")
            chosen[level] = None if days is None else int(days)
        st.caption(
            "Empty keeps for ever. What is older is deleted by the nightly maintenance; shorter times save disk, longer ones need it."
        )
        if st.form_submit_button("Save", type="primary"):
            forms.attempt(lambda: change_retention(inst.db, inst.clock, forms.actor(), chosen, raw_days=raw_days), "Saved")


def shifts() -> None:
    """The named shifts: a row each, and an empty one."""
    who, inst = session.identity(), resources.installation()
    known = shifts_of(inst.db, who.factory_id)
    with st.container(key="card-shifts"):
        ui.draw(ui.section("Shifts", "energy, rules and silences go by their names"))
        with st.form("shifts", border=False):
            rows: list[Shift | None] = [*known, *([None] if len(known) < MOST_SHIFTS else [])]
            found = [_shift(number, row) for number, row in enumerate(rows)]
            st.caption("An empty name takes a shift away. One that ends before it begins goes over midnight; they may not overlap.")
            if st.form_submit_button("Save", type="primary"):
                wanted = [shift for shift in found if shift.name]
                forms.attempt(lambda: set_shifts(inst.db, inst.clock, forms.actor(), wanted), "Saved")


def _shift(number: int, row: Shift | None) -> Shift:
    has = row or Shift("", time(6), time(14))
    step = GRID_MINUTES * 60
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"line-shift-{number}"):
        label: Literal["collapsed", "visible"] = "collapsed" if number else "visible"
        name = st.text_input(
            "Name", has.name, max_chars=50, key=f"shift-name-{number}", label_visibility=label, placeholder="Another shift"
        )
        begin = st.time_input("Begins", has.begin, step=step, key=f"shift-begin-{number}", label_visibility=label)
        end = st.time_input("Ends", has.end, step=step, key=f"shift-end-{number}", label_visibility=label)
    return Shift(name.strip(), begin, end)


def energy() -> None:
    """What a kWh costs when, and how much carbon it stands for."""
    who, inst = session.identity(), resources.installation()
    known = tariff_of(inst.db, who.factory_id)
    has = known or NO_TARIFF
    with st.container(key="card-tariff"):
        ui.draw(ui.section("Energy price and carbon", "" if known else "not set: costs are not shown"))
        with st.form("tariff", border=False):
            with st.container(horizontal=True, gap="small", key="line-tariff"):
                currency = st.text_input("Currency", has.currency, max_chars=5, key="tariff-currency")
                price = st.number_input("Price a kWh", 0.0, None, has.otherwise, format="%.4f", key="tariff-otherwise")
                carbon = st.number_input("Carbon, kg CO₂ a kWh", 0.0, 10.0, has.carbon_kg_a_kwh, format="%.4f", key="tariff-carbon")
            ui.draw('<p class="cap">Other prices at certain hours; the first that fits counts</p>')
            rows: list[Band | None] = [*has.bands, None]
            found = [_band(number, row) for number, row in enumerate(rows)]
            st.caption("An empty name takes a row away. Hours are those of the factory's zone.")
            if st.form_submit_button("Save", type="primary"):
                tariff = Tariff(currency.strip().upper(), float(price), tuple(band for band in found if band.name), float(carbon))
                forms.attempt(lambda: change_tariff(inst.db, inst.clock, forms.actor(), tariff), "Saved")


def _band(number: int, row: Band | None) -> Band:
    has = row or Band("", 0.0)
    choices = DAYS if has.weekdays in DAYS.values() else {"As it is": has.weekdays, **DAYS}
    label: Literal["collapsed", "visible"] = "collapsed" if number else "visible"
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"line-band-{number}"):
        name = st.text_input("Name", has.name, max_chars=50, key=f"band-name-{number}", label_visibility=label, placeholder="Peak")
        price = st.number_input("Price a kWh", 0.0, None, has.price, format="%.4f", key=f"band-price-{number}", label_visibility=label)
        days = st.selectbox(
            "Days", list(choices), list(choices.values()).index(has.weekdays), key=f"band-days-{number}", label_visibility=label
        )
        begin = st.number_input("From hour", 0, 23, has.begin_hour, key=f"band-begin-{number}", label_visibility=label)
        end = st.number_input("To hour", 1, 24, has.end_hour, key=f"band-end-{number}", label_visibility=label)
    return Band(name.strip(), float(price), choices[days], int(begin), int(end))
