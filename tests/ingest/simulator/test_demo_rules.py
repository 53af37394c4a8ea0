"""The demo's rules are understood by the rule engine, stay quiet on healthy machines, and are tripped by the faults they are for."""

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from ingest.simulator.demo_alerts import Watch, _holds, _parameters
from ingest.simulator.demo_rules import CAVITATION, HYDRAULIC, OVEN, OVERLOAD, RULES, SPINDLE, VIBRATION, DemoRule
from ingest.simulator.faults import Fault, LiveScript, PastScript
from ingest.simulator.history import DAY_S, pieces, simulate_history
from ingest.simulator.plant import FACTORIES, PARAMETERS, Kind, PlantFactory
from ingest.simulator.simulation import Simulation
from rules.conditions import parameters
from rules.messages import alert_message, label_of
from rules.parse import parse_condition, parse_schedule
from tests.ingest.simulator.conftest import START_S, Fortnight

END_S = int(datetime(2026, 11, 24, 6, 3, 17, tzinfo=UTC).timestamp())
each_factory = pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: factory.slug)
each_rule = pytest.mark.parametrize(
    ("factory", "rule"), [pytest.param(f, r, id=f"{f.slug}: {r.name}") for f in FACTORIES for r in RULES[f.slug]]
)
# In Asia and Europe: the night to Sunday and Saturday evening; Monday noon and dawn; a summer evening and afternoon.
MOMENTS = (datetime(2026, 11, 28, 19, 45, tzinfo=UTC), datetime(2026, 11, 30, 5, 30, tzinfo=UTC), datetime(2026, 7, 15, 13, 0, tzinfo=UTC))


def alerts_of_month(factory: PlantFactory) -> Watch:
    watch = Watch(factory, RULES[factory.slug])
    for _, metrics in simulate_history(factory, pieces(END_S - 30 * DAY_S, END_S), PastScript(factory, float(END_S))):
        watch.see(metrics)
    return watch


@pytest.fixture(scope="module")
def months() -> dict[str, Watch]:
    return {factory.slug: alerts_of_month(factory) for factory in FACTORIES}


def watched(factory: PlantFactory, start_s: float, duration_s: float, step_s: float) -> Watch:
    """What the rules see of a live demo."""
    watch, simulation = Watch(factory, RULES[factory.slug]), Simulation(factory, LiveScript(factory, start_s))
    _, metrics = simulation.run(simulation.warm_state(start_s), np.arange(start_s + step_s, start_s + duration_s, step_s))
    watch.see(metrics)
    return watch


@each_rule
def test_the_rule_engine_understands_the_rule(factory: PlantFactory, rule: DemoRule) -> None:
    condition = parse_condition(rule.conditions)
    assert parameters(condition) == _parameters(rule.conditions)
    parse_schedule(*rule.schedule(factory), ZoneInfo(factory.timezone))


@each_rule
def test_a_rule_watches_machines_that_measure_its_parameters(factory: PlantFactory, rule: DemoRule) -> None:
    kinds = [rule.kind] if rule.kind else [kind for kind in Kind if _parameters(rule.conditions) <= {p.key for p in PARAMETERS[kind]}]
    assert kinds
    for kind in kinds:
        assert factory.of_kind(kind)
        assert _parameters(rule.conditions) <= {parameter.key for parameter in PARAMETERS[kind]}


@each_factory
def test_a_factory_has_rules_of_every_severity_and_scope_and_one_with_a_schedule(factory: PlantFactory) -> None:
    rules = RULES[factory.slug]
    assert 6 <= len(rules) <= 8
    assert {rule.severity for rule in rules} == {"critical", "high", "medium", "low"}
    assert {rule.kind is None for rule in rules} == {True, False}
    assert {rule.schedule(factory)[0] for rule in rules} == {"always", "time_window"}


def test_healthy_machines_trip_no_rule(fortnight: Fortnight) -> None:
    for rule in RULES[fortnight.factory.slug]:
        for kind, found in fortnight.metrics.items():
            keys = [parameter.key for parameter in PARAMETERS[kind]]
            if rule.kind in (None, kind) and _parameters(rule.conditions) <= set(keys):
                met = _holds(rule.conditions, found.values, keys) & fortnight.healthy(kind)
                assert not met.any(), (rule.name, kind)


@pytest.mark.slow
def test_a_month_has_a_few_alerts_a_day_of_every_severity(months: dict[str, Watch]) -> None:
    for watch in months.values():
        assert 40 <= len(watch.alerts) <= 160
        assert {alert.rule.severity for alert in watch.alerts} == {"critical", "high", "medium", "low"}
        assert {alert.rule.name for alert in watch.alerts} == {rule.name for rule in watch.rules}


@pytest.mark.slow
def test_no_machine_under_overhaul_has_alerts(months: dict[str, Watch]) -> None:
    assert not any(alert.machine.under_overhaul for watch in months.values() for alert in watch.alerts)


@pytest.mark.slow
def test_alerts_of_one_machine_keep_the_cooldown(months: dict[str, Watch]) -> None:
    for watch in months.values():
        by_pair: dict[tuple[str, str], list[float]] = {}
        for alert in watch.alerts:
            by_pair.setdefault((alert.rule.name, alert.machine.device_key), []).append(alert.triggered_s)
        for (name, _), moments in by_pair.items():
            cooldown_s = next(rule.cooldown_minutes for rule in watch.rules if rule.name == name) * 60
            assert (np.diff(moments) >= cooldown_s).all()


@pytest.mark.slow
def test_past_alerts_are_worded_as_the_rule_engine_words_them(months: dict[str, Watch]) -> None:
    for watch in months.values():
        for alert in watch.alerts:
            labels = {p.key: label_of(p.key, p.display_name, p.unit) for p in PARAMETERS[alert.machine.kind]}
            assert alert.message == alert_message(parse_condition(alert.rule.conditions), alert.snapshot, labels)


@pytest.mark.slow
def test_the_time_window_is_kept_in_the_factorys_time(months: dict[str, Watch]) -> None:
    for watch in months.values():
        for alert in watch.alerts:
            kind, config = alert.rule.schedule(watch.factory)
            schedule = parse_schedule(kind, config, ZoneInfo(watch.factory.timezone))
            assert schedule.is_open(int(alert.triggered_s * 1e6))


@each_factory
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_demo_that_starts_at_any_time_has_an_alert_within_two_minutes(factory: PlantFactory, moment: datetime) -> None:
    start_s = moment.timestamp()
    episode = LiveScript(factory, start_s).active(start_s + 41.0)[0]
    alerts = [alert for alert in watched(factory, start_s, 120.0, 2.0).alerts if alert.machine.device_key == episode.device_key]
    assert any(40 < alert.triggered_s - start_s < 110 for alert in alerts)


@each_factory
def test_a_running_demo_has_a_handful_of_alerts_an_hour(factory: PlantFactory) -> None:
    alerts = watched(factory, START_S, 6 * 3600.0, 5.0).alerts
    an_hour = Counter(int((alert.triggered_s - START_S) // 3600) for alert in alerts)
    assert set(an_hour) == set(range(6))
    assert max(an_hour.values()) <= 7
    assert len({alert.rule.name for alert in alerts}) >= 5


SCRIPTED = {
    Fault.IMBALANCE: VIBRATION, Fault.BELT_JAM: OVERLOAD, Fault.CAVITATION: CAVITATION,
    Fault.COOLANT_LEAK: SPINDLE, Fault.HEATER_BREAK: OVEN, Fault.HYDRAULIC_LEAK: HYDRAULIC,
}  # fmt: skip


@each_factory
@pytest.mark.parametrize("hot", [False, True], ids=["winter", "summer"])
def test_every_scripted_fault_trips_its_rule_before_the_repair_and_is_over_soon_after(factory: PlantFactory, *, hot: bool) -> None:
    start_s = START_S - 110 * 86_400.0 if hot else START_S
    script = LiveScript(factory, start_s)
    alerts = watched(factory, start_s, 4 * 3600.0, 5.0).alerts
    episodes = {episode for second in range(0, 3 * 3600 + 1_800, 30) for episode in script.active(start_s + second)}
    for episode in episodes:
        name = SCRIPTED[episode.fault].name
        mine = [a for a in alerts if a.machine.device_key == episode.device_key and a.rule.name == name]
        hits = [a for a in mine if episode.start_s < a.triggered_s < episode.end_s]
        cooling = [
            a for a in mine if a.triggered_s < episode.start_s and episode.end_s - a.triggered_s < a.rule.cooldown_minutes * 60 + 900
        ]
        assert hits or cooling, episode
        assert all(alert.over_s < episode.end_s + 600 for alert in hits)
