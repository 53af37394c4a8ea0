"""Keys of parameters as they come from plants, and what is suggested for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.naming import suggest
from ingest.simulator.plant import PARAMETERS


@pytest.mark.parametrize(
    ("key", "name", "unit"),
    [
        ("spindle_temp", "Spindle temperature", "°C"),
        ("spindleTemp", "Spindle temperature", "°C"),
        ("SpindleTemp1", "Spindle temperature 1", "°C"),
        ("motor-temp", "Motor temperature", "°C"),
        ("inlet_temp_f", "Inlet temperature", "°F"),
        ("zone_a", "Zone a", ""),
        ("zone_temp_a", "Zone temperature a", "°C"),
        ("power", "Power", "W"),
        ("power_kw", "Power", "kW"),
        ("power_factor", "Power factor", ""),
        ("energyKWh", "Energy", "kWh"),
        ("L1_voltage", "L1 voltage", "V"),
        ("voltage_thd", "Voltage THD", "%"),
        ("x_axis_vibration_mm_s", "X axis vibration", "mm/s"),
        ("cycle_time_ms", "Cycle time", "ms"),
        ("co2_ppm", "CO2", "ppm"),
        ("ph", "pH", ""),
        ("rpm", "RPM", "rpm"),
        ("m", "M", ""),
        ("42", "42", ""),
        ("__", "__", ""),
        ("nhiệt_độ", "nhiệt_độ", ""),
    ],
)
def test_suggestion(key: str, name: str, unit: str) -> None:
    assert suggest(key) == (name, unit)


def test_most_parameters_of_the_demo_would_be_named_as_people_named_them() -> None:
    known = {parameter.key: (parameter.display_name, parameter.unit) for group in PARAMETERS.values() for parameter in group}
    right = [key for key, wanted in known.items() if suggest(key) == wanted]
    assert len(right) / len(known) > 0.6
    assert all(suggest(key).unit == unit for key, (_, unit) in known.items() if key.endswith(("temp", "power", "voltage", "speed")))


@given(st.text(min_size=1, max_size=100))
def test_every_key_gets_a_name_that_fits(key: str) -> None:
    found = suggest(key)
    assert 0 < len(found.display_name) <= 255
    assert len(found.unit) <= 50
