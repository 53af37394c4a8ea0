import numpy as np
import pytest

from ingest.simulator.faults import PROFILES, Fault, FaultPlan, LiveScript, PastScript
from ingest.simulator.plant import FACTORIES, NORDWERK, VPC, Kind, PlantFactory
from ingest.simulator.simulation import Simulation
from tests.ingest.simulator.conftest import START_S, STEP_S, Fortnight

YEAR_S = np.arange(START_S, START_S + 365 * 86_400.0, 600.0)
SLOW = (Fault.BEARING_WEAR, Fault.CLOGGED_FILTER, Fault.COOLANT_LEAK, Fault.OIL_AGEING, Fault.HYDRAULIC_LEAK)
each_factory = pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.slug)


def test_every_kind_can_fail_in_a_way_of_its_own() -> None:
    for kind in Kind:
        assert any(kind in profile.kinds for fault, profile in PROFILES.items() if fault is not Fault.LINK_LOSS)


@pytest.mark.parametrize("fault", SLOW)
def test_a_fault_grows_over_hours_to_days_and_a_repair_ends_it(fault: Fault) -> None:
    profile = PROFILES[fault]
    severity = FaultPlan(VPC, VPC.of_kind(profile.kinds[0])).severities(YEAR_S)[fault][:, 0]
    begins = np.flatnonzero((severity[:-1] == 0) & (severity[1:] > 0)) + 1
    ends = np.flatnonzero((severity[:-1] > 0) & (severity[1:] == 0)) + 1
    assert len(begins) >= 4
    for begin, end in zip(begins, ends, strict=True):
        episode = severity[begin:end]
        assert (np.diff(episode) >= 0).all()
        assert episode[-1] > 0.9
        assert profile.develops_h[0] * 3600 <= (end - begin + 1) * 600.0 <= profile.develops_h[1] * 3600 + 5 * 3600


def test_faults_do_not_depend_on_when_one_looks() -> None:
    plan = FaultPlan(VPC, VPC.of_kind(Kind.CNC_MILL))
    whole = plan.severities(YEAR_S)[Fault.COOLANT_LEAK]
    assert np.array_equal(plan.severities(YEAR_S[500:501])[Fault.COOLANT_LEAK][0], whole[500])


def test_a_worn_bearing_shakes_and_a_leak_takes_the_coolant(fortnight: Fortnight) -> None:
    severities = FaultPlan(fortnight.factory, fortnight.factory.of_kind(Kind.CNC_MILL)).severities(fortnight.time_s)
    running = fortnight.of(Kind.CNC_MILL, "spindle_speed") > 0
    healthy = fortnight.healthy(Kind.CNC_MILL) & running
    shaking = (np.maximum(severities[Fault.BEARING_WEAR], severities[Fault.IMBALANCE]) > 0.8) & running
    leaking = (severities[Fault.COOLANT_LEAK] > 0.95) & running
    vibration, flow = fortnight.of(Kind.CNC_MILL, "vibration"), fortnight.of(Kind.CNC_MILL, "coolant_flow")
    assert vibration[shaking].min() > vibration[healthy].max()
    assert flow[leaking].max() < 5 < flow[healthy].min()


@each_factory
def test_the_live_script_begins_with_a_quick_fault_and_goes_on_for_ever(factory: PlantFactory) -> None:
    script = LiveScript(factory, START_S)
    assert script.active(START_S - 1) == ()
    seen = {episode for second in range(0, 8 * 3600, 30) for episode in script.active(START_S + second)}
    by_start = sorted(seen, key=lambda episode: episode.start_s)
    assert by_start[0].fault in {Fault.IMBALANCE, Fault.BELT_JAM, Fault.CAVITATION}
    assert by_start[0].start_s == START_S + 40
    gaps_s = np.diff([episode.start_s for episode in by_start])
    assert gaps_s.max() < 20 * 60
    assert len({episode.fault for episode in by_start}) == 6


@each_factory
def test_a_restarted_script_does_not_always_pick_the_same_machine(factory: PlantFactory) -> None:
    first = {LiveScript(factory, START_S + hour * 3600.0).active(START_S + hour * 3600.0 + 41)[0] for hour in range(12)}
    assert len({(episode.fault, episode.device_key) for episode in first}) >= 4


def test_a_scripted_machine_runs_even_in_a_break() -> None:
    script = LiveScript(VPC, START_S)
    episode = script.active(START_S + 41)[0]
    kind = VPC.machine(episode.device_key).kind
    forced = FaultPlan(VPC, VPC.of_kind(kind), script).forced(np.array([START_S + 39, START_S + 41, episode.end_s + 1]))
    column = [machine.device_key for machine in VPC.of_kind(kind)].index(episode.device_key)
    assert forced[:, column].tolist() == [0.0, 1.0, 0.0]


def test_the_past_script_is_over_when_live_data_begins() -> None:
    script = PastScript(VPC, START_S)
    assert script.active(START_S - 3 * 60) == ()
    assert script.active(START_S) == ()
    assert script.active(START_S - 0.7 * 3600) != ()


def test_after_a_repair_the_machine_recovers() -> None:
    script = PastScript(NORDWERK, START_S)
    simulation = Simulation(NORDWERK, script)
    times = np.arange(START_S - 3 * 3600.0, START_S, 10.0)
    _, metrics = simulation.run(simulation.warm_state(times[0]), times)
    hot = [
        metrics[Kind.INJECTION_MOULDER].of(machine.device_key, "hydraulic_oil_temp") for machine in NORDWERK.of_kind(Kind.INJECTION_MOULDER)
    ]
    assert max(warmth.max() for warmth in hot) > 60
    assert max(warmth[-1] for warmth in hot) < 52


def test_nothing_is_heard_while_the_connection_is_down() -> None:
    simulation = Simulation(VPC)
    _, metrics = simulation.run(simulation.warm_state(START_S), np.arange(START_S, START_S + 30 * 86_400.0, STEP_S))
    shares = np.concatenate([found.silent.mean(axis=0) for found in metrics.values()])
    assert 0 < shares.mean() < 0.01
