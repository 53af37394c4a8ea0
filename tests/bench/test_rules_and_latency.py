"""The benchmarks of rules do run and measure what they say; whether budgets hold is theirs to tell, on a quiet machine."""

import pytest

from bench import alert_latency, rules
from tests.helpers import require_program

pytestmark = pytest.mark.slow


def test_rules() -> None:
    found = rules.run(lambda _: None)
    assert {budget["figure"] for budget in rules.BUDGETS} <= found["figures"].keys()
    assert found["figures"]["conditions_per_s"] > 100_000


@pytest.mark.broker
def test_alert_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    require_program("mosquitto", package="mosquitto")
    monkeypatch.setattr(alert_latency, "SECONDS", 3)
    monkeypatch.setattr(alert_latency, "RATES", (50,))
    figures = alert_latency.run(lambda _: None)["figures"]
    assert (figures["messages_at_50"], figures["alerts_at_50"], figures["alerts_lost_or_doubled_at_50"]) == (150, 15, 0)
    assert 0 < figures["alert_p50_at_50_s"] <= figures["alert_p99_at_50_s"] < 20
