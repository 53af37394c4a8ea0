"""What the benchmark of bearing wear tells of lives; the lives themselves take minutes."""

from bench.bearing_wear import KINDS, Judged, figures_of
from ingest.simulator.plant import Kind


def test_lead_hours_and_false_alarms_of_a_kind() -> None:
    lives = [Judged(30.0, 0, 1.5), Judged(0.0, 2, 1.5), Judged(24.0, 1, 1.0)]
    assert figures_of(Kind.PUMP, lives) == {
        "pump: seeds flagged 24 h before": 2,
        "pump: least hours before": 0,
        "pump: median hours before": 24,
        "pump: most hours before": 30,
        "pump: false alarms a machine-week": 0.75,
        "pump: machine-weeks without fault": 4,
    }


def test_every_kind_that_wears_is_run() -> None:
    assert set(KINDS) == {Kind.PUMP, Kind.COMPRESSOR, Kind.CNC_MILL, Kind.CONVEYOR}
