"""Parameters appear by themselves, once, and not without end."""

from ingest.discovery import MOST_PARAMETERS, discover
from tests.ingest.messages import RECEIVED
from tests.warehouse.frames import readings

FRAME = readings((1, "power", 0, 1.0), (1, "speed", 0, 2.0), (2, "power", 0, 3.0))


def test_unknown_parameters_are_found_with_the_spec_s_defaults() -> None:
    found = discover(FRAME, {(1, "power"), (2, "power")}, {1: 1, 2: 1}, RECEIVED)
    assert found.refused == []
    assert found.rows == [
        {
            "factory_id": 1, "device_id": 1, "parameter_key": "speed", "display_name": "speed", "data_type": "float",
            "is_kpi_selected": True, "discovered_at": RECEIVED, "updated_at": RECEIVED,
        }
    ]  # fmt: skip


def test_text_is_a_string_parameter() -> None:
    frame = FRAME.with_columns(value=None, text=FRAME["parameter"])
    assert {row["data_type"] for row in discover(frame, set(), {}, RECEIVED).rows} == {"string"}


def test_nothing_new_means_no_rows() -> None:
    assert discover(FRAME, {(1, "power"), (1, "speed"), (2, "power")}, {}, RECEIVED).rows == []


def test_a_device_that_invents_names_is_stopped_and_others_are_not() -> None:
    found = discover(FRAME, set(), {1: MOST_PARAMETERS - 1}, RECEIVED)
    assert [(row["device_id"], row["parameter_key"]) for row in found.rows] == [(1, "power"), (2, "power")]
    assert found.refused == [(1, "speed")]
