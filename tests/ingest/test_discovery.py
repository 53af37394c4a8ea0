"""Parameters appear by themselves, once, and not without end."""

import polars as pl
import pytest

from ingest.discovery import MOST_PARAMETERS, Discovery, discover
from tests.ingest.messages import RECEIVED
from tests.warehouse.frames import readings

FRAME = readings((1, "power", 0, 1.0), (1, "speed", 0, 2.0), (2, "power", 0, 3.0))


def test_unknown_parameters_are_found_with_the_spec_s_defaults() -> None:
    found = discover(FRAME, {(1, "power"): "float", (2, "power"): "float"}, {1: 1, 2: 1}, RECEIVED)
    assert found.refused == []
    assert found.rows == [
        {
            "factory_id": 1, "device_id": 1, "parameter_key": "speed", "display_name": "Speed", "unit": None, "data_type": "int",
            "is_kpi_selected": True, "discovered_at": RECEIVED, "updated_at": RECEIVED,
        }
    ]  # fmt: skip


def test_text_is_a_string_parameter() -> None:
    frame = FRAME.with_columns(value=None, text=FRAME["parameter"])
    assert {row["data_type"] for row in discover(frame, {}, {}, RECEIVED).rows} == {"string"}


def test_nothing_new_means_no_rows() -> None:
    known = {(1, "power"): "float", (1, "speed"): "int", (2, "power"): "int"}
    assert discover(FRAME, known, {}, RECEIVED) == Discovery()


def test_a_device_that_invents_names_is_stopped_and_others_are_not() -> None:
    found = discover(FRAME, {}, {1: MOST_PARAMETERS - 1}, RECEIVED)
    assert [(row["device_id"], row["parameter_key"]) for row in found.rows] == [(1, "power"), (2, "power")]
    assert found.refused == [(1, "speed")]


def one(value: float | str, name: str = "p") -> pl.DataFrame:
    """A flush of one reading, a number or a text, of machine 1."""
    frame = readings((1, name, 0, value if isinstance(value, float) else 0.0))
    return frame if isinstance(value, float) else frame.with_columns(value=pl.lit(None, pl.Float64), text=pl.lit(value))


def types_of(*values: float | str) -> list[str]:
    """The type of one parameter each, that began with that value."""
    frame = pl.concat([one(value, f"p{n}") for n, value in enumerate(values)])
    return [row["data_type"] for row in discover(frame, {}, {}, RECEIVED).rows]


def test_types_are_inferred_from_the_value() -> None:
    assert types_of(3.0, -7.0, 0.5, 1e300, "on") == ["int", "int", "float", "float", "string"]


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("int", 2.5, "float"),
        ("string", 2.0, "int"),
        ("string", 2.5, "float"),
        ("float", 2.0, None),
        ("int", 2.0, None),
        ("float", "x", None),
    ],
)
def test_a_type_only_widens(before: str, value: float | str, after: str | None) -> None:
    found = discover(one(value), {(1, "p"): before}, {1: 1}, RECEIVED)
    assert found.rows == []
    assert found.widened == ({(1, "p"): after} if after else {})


@pytest.mark.parametrize(("before", "value", "said"), [("float", "ERR", "the text 'ERR'"), ("string", 7.0, "the number 7")])
def test_numbers_and_texts_under_one_name_are_said(before: str, value: float | str, said: str) -> None:
    (mixed,) = discover(one(value), {(1, "p"): before}, {1: 1}, RECEIVED).mixed
    assert (mixed.device_id, mixed.parameter_key) == (1, "p")
    assert said in mixed.detail


def test_an_int_that_gets_a_fraction_is_nothing_to_tell() -> None:
    assert discover(one(2.5), {(1, "p"): "int"}, {1: 1}, RECEIVED).mixed == []


def test_a_name_and_a_unit_are_suggested() -> None:
    (row,) = discover(one(41.5, "spindle_temp"), {}, {}, RECEIVED).rows
    assert (row["display_name"], row["unit"]) == ("Spindle temperature", "°C")
