from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from ingest.simulator.history import DAY_S, OVERHAUL_S, pieces, simulate_history, to_readings
from ingest.simulator.plant import FACTORIES, NORDWERK, PARAMETERS, VPC, Kind, PlantFactory
from ingest.simulator.simulation import Metrics, Simulation
from warehouse.readings import READINGS

END_S = int(datetime(2026, 11, 24, 6, 3, 17, tzinfo=UTC).timestamp())
DEVICE_IDS = {machine.device_key: 100 + number for number, machine in enumerate(VPC.machines)}


def hour_of_readings(overhaul_s: int = END_S - OVERHAUL_S) -> pl.DataFrame:
    stretch = pieces(END_S - 3_600, END_S)
    return pl.concat([to_readings(7, DEVICE_IDS, metrics, overhaul_s) for _, metrics in simulate_history(VPC, stretch)])


@pytest.mark.parametrize("days", [0, 1, 2, 8, 30])
def test_pieces_cover_the_whole_range_once(days: int) -> None:
    found = pieces(END_S - days * DAY_S, END_S)
    moments = np.concatenate([piece.times() for piece in found]) if found else np.empty(0)
    assert (np.diff(moments) > 0).all()
    assert (np.diff(moments) <= 240).all()
    if days:
        assert moments[0] <= END_S - days * DAY_S < moments[0] + 240
        assert moments[-1] < END_S <= moments[-1] + 20


def test_no_piece_crosses_a_utc_midnight() -> None:
    for piece in pieces(END_S - 30 * DAY_S, END_S):
        assert piece.begin_s // DAY_S == (piece.end_s - 1) // DAY_S


def test_the_last_day_is_fine_the_last_week_finer_than_the_rest() -> None:
    found = pieces(END_S - 30 * DAY_S, END_S)
    steps = {piece.step_s: (END_S - piece.begin_s) / DAY_S for piece in reversed(found)}
    assert list(steps) == [10, 60, 240]
    assert steps[10] == pytest.approx(1, abs=0.01)
    assert steps[60] == pytest.approx(7, abs=0.01)


def test_a_piece_does_not_depend_on_how_the_range_is_cut() -> None:
    long = list(simulate_history(NORDWERK, pieces(END_S - 3 * DAY_S, END_S)))
    _, last = long[-1]
    short = list(simulate_history(NORDWERK, pieces(END_S - 2 * DAY_S, END_S)))
    for kind, found in last.items():
        difference = np.abs(found.values - short[-1][1][kind].values)
        span = np.maximum(np.ptp(found.values, axis=(0, 1)), 1)
        assert (difference.max(axis=(0, 1)) <= 0.02 * span + 2).all()


def test_history_is_a_frame_of_readings_sorted_for_the_lake() -> None:
    frame = hour_of_readings()
    assert frame.schema == READINGS
    assert frame.equals(frame.sort("factory_id", "device_id", "parameter", "ts"))
    assert frame.select("device_id", "parameter", "ts").is_unique().all()


def test_history_has_no_nulls_no_text_and_plausible_arrival() -> None:
    frame = hour_of_readings()
    assert frame["value"].is_finite().all()
    assert frame["text"].null_count() == frame.height
    assert (frame["received_at"] > frame["ts"]).all()


def test_every_machine_has_all_its_parameters() -> None:
    found = hour_of_readings().group_by("device_id").agg(pl.col("parameter").unique())
    parameters = {row["device_id"]: set(row["parameter"]) for row in found.iter_rows(named=True)}
    for machine in VPC.machines:
        if not machine.under_overhaul:
            assert parameters[DEVICE_IDS[machine.device_key]] == {parameter.key for parameter in PARAMETERS[machine.kind]}


def test_a_value_belongs_to_its_machine_and_parameter() -> None:
    ((_, metrics),) = simulate_history(VPC, pieces(END_S - 600, END_S))
    frame = to_readings(7, DEVICE_IDS, metrics, END_S)
    chosen = frame.filter(pl.col("device_id") == DEVICE_IDS["CMP-01"], pl.col("parameter") == "oil_temp")
    assert chosen["value"].to_list() == metrics[Kind.COMPRESSOR].of("CMP-01", "oil_temp").tolist()


def test_a_machine_under_overhaul_is_silent_at_the_end() -> None:
    overhauled = next(machine for machine in VPC.machines if machine.under_overhaul)
    assert DEVICE_IDS[overhauled.device_key] not in hour_of_readings()["device_id"]
    until_now = hour_of_readings(overhaul_s=END_S - 1_800).filter(pl.col("device_id") == DEVICE_IDS[overhauled.device_key])
    assert until_now["ts"].max() == datetime.fromtimestamp(END_S - 1_800 - (END_S - 1_800) % 10, UTC)


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.slug)
def test_live_data_goes_on_where_the_history_ends(factory: PlantFactory) -> None:
    """What the history would have measured 5 s after its end, and what a simulator that starts then measures, agree."""
    state = None
    simulation = Simulation(factory)
    for piece in pieces(END_S - 2 * DAY_S, END_S):
        state = simulation.warm_state(float(piece.begin_s)) if state is None else state
        state, metrics = simulation.run(state, piece.times())
    assert state is not None
    start_s = state.time_s + 5.0
    _, expected = simulation.run(state, np.array([start_s]))
    _, live = simulation.run(simulation.warm_state(start_s - 1.0), np.array([start_s]))
    for kind in Kind:
        assert_close(kind, expected[kind], live[kind], metrics[kind])


def assert_close(kind: Kind, expected: Metrics, live: Metrics, day: Metrics) -> None:
    for column, parameter in enumerate(PARAMETERS[kind]):
        span = np.ptp(day.values[:, :, column])
        slack = 3 if parameter.unit == "pcs" else max(0.015 * span, 1.5 if parameter.unit == "°C" else 0.0) + 10.0**-parameter.decimals
        difference = np.abs(expected.values[0, :, column] - live.values[0, :, column]).max()
        assert difference <= slack, (kind, parameter.key, difference, slack)


@pytest.mark.slow
def test_a_simulator_that_is_started_again_agrees_with_one_that_ran_on() -> None:
    simulation, begin_s = Simulation(VPC), float(END_S)
    ran_on = simulation.warm_state(begin_s)
    for second in range(1, 121):
        ran_on, _ = simulation.run(ran_on, np.array([begin_s + second]))
    started_again = simulation.warm_state(begin_s + 120.0)
    for name, value in ran_on.values.items():
        slack = 1.5 if name.endswith((".good", ".bad", ".energy")) else 0.6
        assert np.abs(value - started_again.values[name]).max() < slack, name
