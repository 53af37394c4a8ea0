"""The copilot without a model: each finding is in the data, carries its numbers and links, and says nothing that is not there."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from assets.analytics.contract import Inputs, NotEnoughDataError
from assets.analytics.copilot import analyse
from assets.analytics.copilot_data import Evidence
from assets.analytics.copilot_findings import attention, bursts, changed, downtime, expected, findings, together, waste
from assets.analytics.copilot_words import num
from rules.messages import Label
from tests.fixtures.two_plants import NOW, TwoPlants
from warehouse.analysis_tables import schema_of
from warehouse.queries.alerts import AlertRow
from warehouse.queries.devices import DeviceRow

START = datetime(2026, 1, 5, tzinfo=UTC)
END = START + timedelta(days=2)
HOUR = timedelta(hours=1)
NO_ALERTS = dict.fromkeys(("critical", "high", "medium", "low"), 0)


def machine(number: int, **alerts: int) -> DeviceRow:
    key = f"M-{number:02d}"
    health = 100 - 20 * sum(alerts.values())
    return DeviceRow(number, key, key, "CNC mill", "", "", "Hall", "running", END, health, 1000.0, NO_ALERTS | alerts)


def alert(number: int, device: int, title: str, hours: float) -> AlertRow:
    key = f"M-{device:02d}"
    return AlertRow(
        number,
        "high",
        title,
        "",
        device,
        key,
        key,
        "",
        "",
        number,
        START + hours * HOUR,
        None,
        "",
        None,
        "",
        "",
        {},
        notification_sent=True,
    )


def empty(table: str) -> pl.DataFrame:
    return pl.DataFrame(schema={name: kind for name, kind in schema_of(table).items() if name != "factory_id"})


def levels(device: int, parameter: str, before: float, now: float) -> pl.DataFrame:
    """Two days before and two days of the range, with a usual variation of about one percent of `before`."""
    hours = range(-48, 48)
    means = [(before if hour < 0 else now) * (1 + 0.01 * ((hour * 7) % 5 - 2) / 2) for hour in hours]
    buckets = [START + hour * HOUR for hour in hours]
    return pl.DataFrame({"device_id": [device] * 96, "parameter": [parameter] * 96, "bucket": buckets, "mean": means})


def evidence(**more: object) -> Evidence:
    calm = Evidence(
        START, END, "Europe/Berlin", [machine(1), machine(2)], {(1, "temp"): Label("Temperature", "°C")}, levels(1, "temp", 70, 70), [],
        empty("anomalies"), empty("failure_risks"), pl.DataFrame(), pl.DataFrame(), empty("energy_forecasts"), "EUR",
    )  # fmt: skip
    return replace(calm, **more)


def test_nothing_that_stands_out_is_said_with_what_was_looked_at() -> None:
    (only,) = findings(evidence())
    assert only.kind == "calm"
    assert only.facts == {"machines": 2, "days": 2.0, "alerts": 0}


def test_a_level_that_moved_is_found_with_both_levels_and_one_that_only_comes_and_goes_is_not() -> None:
    moved = pl.concat([levels(1, "temp", 70, 84), levels(2, "temp", 70, 70.5)])
    (found,) = changed(evidence(levels=moved))
    assert found.machines == ("M-01",)
    assert "Temperature of M-01 changed: typically 84 °C instead of 70 °C before (+20 %)" in found.sentence
    assert found.facts["level"] == pytest.approx(84, rel=0.01)
    assert changed(evidence(levels=levels(1, "temp", 70, 84).filter(pl.col("bucket") >= START))) == []


def test_the_machine_that_needs_attention_is_said_with_every_reason() -> None:
    odd = pl.DataFrame(
        [{"device_id": 2, "started_at": START, "ended_at": END, "score": 4.25, "contributions": '[{"parameter": "vibration", "share": 1}]'}]
    )
    risk = pl.DataFrame([{"device_id": 2, "ts": END, "horizon_h": 168.0, "probability": 0.62}])
    found = attention(evidence(machines=[machine(1), machine(2, critical=2)], anomalies=odd, risks=risk))
    assert [each.machines for each in found] == [("M-02",)]
    for part in ("health 60 of 100", "2 critical open alerts", "4.25 times its limit, mostly vibration", "within 7 days", "62 %"):
        assert part in found[0].sentence
    assert ("M-02", "/machine?device=M-02") in found[0].links


def test_alerts_that_come_in_pairs_belong_together_and_those_that_do_not_do_not() -> None:
    pairs = [alert(n, 1, "Hot", n * 5) for n in range(4)] + [alert(10 + n, 1, "Shakes", n * 5 + 0.1) for n in range(4)]
    alone = [alert(20 + n, 1, "Low air", n * 5 + 2.5) for n in range(4)]
    (found,) = together(evidence(alerts=pairs + alone))
    assert (found.facts["together"], found.facts["times"]) == (4, 4)
    assert "“Hot”" in found.sentence
    assert "“Shakes”" in found.sentence


def test_several_machines_at_once_are_one_finding_with_who_was_first() -> None:
    machines = [machine(number) for number in range(1, 5)]
    storm = [alert(number, number, f"Rule {number}", 10 + number / 60) for number in (3, 1, 2)]
    (found,) = bursts(evidence(machines=machines, alerts=[*storm, alert(9, 4, "Later", 12)]))
    assert found.facts["machines"] == 3
    assert "At 5 Jan 11:01 3 machines raised 3 alerts within 10 minutes" in found.sentence
    assert "“Rule 1” on M-01 came first" in found.sentence
    assert bursts(evidence(alerts=storm[:2])) == []


def test_energy_wasted_downtime_and_what_is_expected_have_their_numbers() -> None:
    day = {"ts": START, "kwh": 100.0, "idle_kwh": 25.0, "cost": 20.0}
    energy = pl.DataFrame([day | {"device_id": 1}, day | {"device_id": 2, "idle_kwh": 5.0}])
    (wasted,) = waste(evidence(energy=energy))
    assert wasted.sentence.startswith("30 of 200 kWh (15 %, about 6 EUR) were drawn while machines idled; most by M-01 25 kWh")
    days = pl.DataFrame([{"device_id": 2, "fault_s": 9000.0, "failures": 3}])
    (stood,) = downtime(evidence(availability=days))
    assert stood.sentence.startswith("M-02 stood in fault for 2.5 h in 3 failures")
    ahead = pl.DataFrame([{"kwh": 50.0, "interval_s": 86400.0, "cost": 10.0, "ts": END}])
    (soon,) = expected(evidence(forecast=ahead))
    assert "expected to use 50 kWh in the next 1 days, about 10 EUR" in soon.sentence


def test_every_number_of_every_sentence_is_among_its_facts() -> None:
    odd = pl.DataFrame([{"device_id": 2, "started_at": START, "ended_at": END, "score": 4.253, "contributions": None}])
    energy = pl.DataFrame([{"device_id": 1, "ts": START, "kwh": 103.7, "idle_kwh": 25.31, "cost": 20.77}])
    pairs = [alert(n, 1, "Hot", n * 5) for n in range(4)] + [alert(10 + n, 1, "Shakes", n * 5 + 0.1) for n in range(4)]
    found = findings(
        evidence(
            machines=[machine(1), machine(2, high=3)], anomalies=odd, energy=energy, alerts=pairs, levels=levels(1, "temp", 61.37, 90.1)
        )
    )
    assert {each.kind for each in found} == {"attention", "changed", "together", "waste"}
    for each in found:
        bare = re.sub(r"M-\d+", "", each.sentence)
        told = {num(abs(value)) for value in each.facts.values() if isinstance(value, int | float)} | {"100"}
        assert set(re.findall(r"\d[\d,]*(?:\.\d+)?", bare)) <= told, each


def test_from_the_data_of_a_factory_it_says_what_is_there_and_nothing_of_another(two_plants: TwoPlants) -> None:
    told: list[float] = []
    north = two_plants.north
    inputs = Inputs(two_plants.installation, north.person.factory_id, list(north.devices.values()), NOW - timedelta(days=1), NOW)
    result = analyse(inputs, lambda percent, _stage: told.append(percent))
    assert result.summary["headline"].startswith("NOR-01 needs attention")
    assert "SOU" not in str(result.summary)
    assert told == sorted(told)
    with pytest.raises(NotEnoughDataError, match="sent nothing in this range"):
        analyse(replace(inputs, start=NOW - timedelta(days=9), end=NOW - timedelta(days=8)), lambda *_: None)
