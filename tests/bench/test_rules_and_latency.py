"""The benchmarks of rules do run and measure what they say; whether budgets hold is theirs to tell, on a quiet machine."""

from pathlib import Path

import pytest

from bench import alert_latency, alert_latency_at_scale, backtest, rules
from tests.helpers import require_program

pytestmark = pytest.mark.slow


def test_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SECONDS": 10, "ROUNDS": 1, "MANY_MESSAGES": 200, "IDLE_S": 0.2}.items():
        monkeypatch.setattr(rules, name, value)
    figures = rules.run(lambda _: None)["figures"]
    assert {budget["figure"] for budget in rules.BUDGETS} <= figures.keys()
    assert min(figures["conditions_per_s"], figures["idle_core_share"]) > 0


@pytest.mark.broker
def test_alert_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    require_program("mosquitto", package="mosquitto")
    monkeypatch.setattr(alert_latency, "SECONDS", 3)
    monkeypatch.setattr(alert_latency, "RATES", (50,))
    figures = alert_latency.run(lambda _: None)["figures"]
    assert (figures["messages_at_50"], figures["alerts_at_50"], figures["alerts_lost_or_doubled_at_50"]) == (150, 15, 0)
    assert 0 < figures["alert_p50_at_50_s"] <= figures["alert_p99_at_50_s"] < 20


@pytest.mark.broker
def test_alert_latency_at_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    require_program("mosquitto", package="mosquitto")
    for name, value in {"DEVICES": 20, "SECONDS": 1, "WARM_UP_S": 1, "RATES": (50,)}.items():
        monkeypatch.setattr(alert_latency_at_scale, name, value)
    figures = alert_latency_at_scale.run(lambda _: None)["figures"]
    assert (figures["alerts_at_50"], figures["alerts_lost_or_doubled"], figures["mails_lost_or_doubled"]) == (6, 0, 0)
    assert 0 < figures["alert_p50_at_50_s"] <= figures["mail_p99_at_50_s"] < 20


def test_backtest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    few = {name: backtest.KINDS[name] for name in ("comparison", "silent machine")}
    for name, value in {"DEVICES": 3, "DAYS": 1, "ROUNDS": 1, "FOLDER": tmp_path, "KINDS": few}.items():
        monkeypatch.setattr(backtest, name, value)
    found = backtest.run(lambda _: None)
    figures = found["figures"]
    assert {budget["figure"] for budget in found["budgets"]} == {name for name in figures if name.endswith("_s")}
    assert figures["comparison_readings"] > 3 * 17_280
    assert figures["comparison_alerts"] > 0
