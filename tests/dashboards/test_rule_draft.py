"""A rule in the form: what it saves is what it was opened with, and every mistake is told at its field."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from dashboards.alarm import new_criticals
from dashboards.rule_data import Known
from dashboards.rule_draft import Draft, Span, Window, checked, empty, opened
from dashboards.rule_figures import caught, typical_length_s
from dashboards.rule_sentence import machines, sentence
from dashboards.rule_versions import differences
from rules.as_code import templates
from rules.backtest import Backtest, Episode
from rules.keeping import FIELDS
from rules.messages import Label
from warehouse.queries.alerts import AlertRow
from warehouse.readings import UTC_TIME
from warehouse.shifts import FactoryClock

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SHIFTS = FactoryClock("Asia/Ho_Chi_Minh").times()
KNOWN = Known(
    {"temp": Label("Spindle temperature", "°C")}, frozenset(), {1: "CNC-01 · Mill", 2: "CNC-02", 3: "CNC-03", 4: "CNC-04"}, ZONE, SHIFTS
)
HOT: dict[str, Any] = {
    "name": "Hot", "description": None, "scope": "global", "severity": "high", "cooldown_minutes": 15, "schedule_type": "always",
    "schedule_config": None, "notification_channels": None, "is_active": True,
    "conditions": {"parameter": "temp", "operator": "gt", "threshold": 80},
}  # fmt: skip
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("name", templates())
def test_a_ready_made_rule_is_saved_as_it_was_opened(name: str) -> None:
    document = templates()[name]
    fields = {key: document[key] for key in FIELDS}
    found = checked(opened(fields, (), "p"), ZONE, SHIFTS)
    assert found.errors == {}
    assert found.fields is not None
    assert {key: found.fields[key] for key in ("conditions", "schedule_type", "schedule_config", "severity")} == {
        key: fields[key] for key in ("conditions", "schedule_type", "schedule_config", "severity")
    }
    assert found.fields["notification_channels"] in (fields["notification_channels"], None)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("time_window", {"start_time": "22:00", "end_time": "06:00", "days": [1, 2]}),
        ("time_window", {"shift": "late"}),
        ("time_window", {"windows": [{"start_time": "06:00", "end_time": "24:00"}, {"shift": "night", "days": [6, 7]}]}),
        ("date_range", {"start_date": "2026-01-01"}),
        ("date_range", {"ranges": [{"end_date": "2026-01-31"}, {"start_date": "2026-12-01"}], "windows": [{"shift": "early"}]}),
    ],
)
def test_schedules_are_saved_as_they_were_opened(kind: str, config: dict[str, Any]) -> None:
    found = checked(opened({**HOT, "schedule_type": kind, "schedule_config": config}, (), "p"), ZONE, SHIFTS)
    assert found.fields is not None
    assert (found.fields["schedule_type"], found.fields["schedule_config"]) == (kind, config)


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"name": " "}, "name", "give the rule a name"),
        ({"cooldown": "soon"}, "cooldown", "no number"),
        ({"cooldown": "-1"}, "cooldown", "0 to 10080 minutes"),
        ({"scope": "device"}, "devices", "choose at least one machine"),
        ({"windows": (Window(start="6:00"),)}, "schedule", "'6:00' is no time of day"),
        ({"windows": (Window(shift="evening"),)}, "schedule", "is no shift of this factory"),
        ({"spans": (Span("2026-02-01", "2026-01-01"),)}, "schedule", "is before start_date"),
        ({"spans": (Span(),)}, "schedule", "needs start_date, end_date or both"),
        ({"off_delay": "x"}, "off_delay", "no number"),
    ],
)
def test_a_mistake_is_told_at_its_field(change: dict[str, Any], place: str, words: str) -> None:
    found = checked(replace(opened(HOT, (), "p"), **change), ZONE, SHIFTS)
    assert found.fields is None
    assert words in found.errors["draft", place]


def test_a_new_rule_waits_for_a_name_and_a_condition() -> None:
    assert sorted(name for _, name in checked(empty("p"), ZONE, SHIFTS).errors) == ["children", "name"]


def test_the_sentence_says_everything_that_the_rule_does() -> None:
    conditions = {"when": {**HOT["conditions"], "for_minutes": 5}, "auto_resolve": True}
    fields = {**HOT, "conditions": conditions, "scope": "device", "schedule_type": "time_window", "schedule_config": {"shift": "late"},
              "notification_channels": {"email": True, "whatsapp": True}}  # fmt: skip
    told = re.sub("<[^>]+>", "", sentence(fields, [1, 2], KNOWN))
    assert told == (
        "Raise a high alert for CNC-01 or CNC-02 when spindle temperature stays above 80 °C for 5 min. "
        "It is over when that no longer holds; it is then resolved by itself. "
        "Only in the late shift, at most once every 15 min a machine. People are told by E-mail and WhatsApp."
    )


def test_names_in_the_sentence_are_text() -> None:
    known = replace(KNOWN, labels={"temp": Label("<b>x</b>", "")}, machines={1: "<i>1</i>"})
    told = sentence({**HOT, "scope": "device"}, [1], known)
    assert "<i>" not in told
    assert "&lt;b&gt;x" in told


def test_many_machines_are_counted() -> None:
    assert machines("device", [1, 2, 3, 4], KNOWN) == "CNC-01, CNC-02 and 2 others"
    assert machines("device", [9], KNOWN) == "a machine that is gone"


def test_a_version_says_what_it_changed_in_words() -> None:
    after = {**HOT, "severity": "critical", "conditions": {**HOT["conditions"], "threshold": 85}, "device_ids": []}
    assert differences({**HOT, "device_ids": []}, after, KNOWN) == [
        ("Condition", "spindle temperature is above 80 °C; over when that no longer holds",
         "spindle temperature is above 85 °C; over when that no longer holds"),
        ("Severity", "high", "critical"),
    ]  # fmt: skip


def episode(device: int, hour: float, hours: float = 1) -> Episode:
    return Episode(device, START + HOUR * hour, START + HOUR * (hour + hours), {})


def test_a_backtest_is_held_against_the_faults_that_other_rules_told_of() -> None:
    faults = pl.DataFrame(
        [(1, START + HOUR * 10, START + HOUR * 11, "Other"), (1, START + HOUR * 40, START + HOUR * 41, "Other"),
         (2, START + HOUR * 10, START + HOUR * 11, "Hot")],
        schema={"device_id": pl.Int32, "begin": UTC_TIME, "end": UTC_TIME, "reason": pl.String}, orient="row",
    )  # fmt: skip
    found = caught([episode(1, 9.5), episode(1, 20), episode(2, 10)], faults, "Hot", START + HOUR * 50)
    assert (found.faults, found.caught, found.warning_min, found.without) == (2, 1, 30, 2)


def test_the_usual_length_of_alerts_is_the_median() -> None:
    run = Backtest(START, START + HOUR * 50, (1,), (episode(1, 0, 1), episode(1, 5, 3), episode(1, 20, 2)), 0)
    assert typical_length_s(run) == 7200
    assert typical_length_s(replace(run, episodes=())) is None


def alert(number: int, severity: str = "critical", **more: Any) -> AlertRow:
    facts: dict[str, Any] = {
        "id": number, "severity": severity, "title": "Hot", "message": "", "device_id": 1, "device_key": "CNC-01", "device_name": "",
        "device_kind": "", "region": "", "rule_id": 1, "triggered_at": START, "acknowledged_at": None, "acknowledged_by": "",
        "resolved_at": None, "resolved_by": "", "resolution_comment": "", "telemetry_snapshot": {}, "notification_sent": False,
    }  # fmt: skip
    return AlertRow(**facts | more)


def test_only_critical_alerts_that_are_new_since_the_last_look_are_announced() -> None:
    found = [alert(1), alert(2, "high"), alert(3), alert(4, acknowledged_at=START), alert(5, is_silenced=True)]
    assert new_criticals(found, None) == []
    assert [a.id for a in new_criticals(found, frozenset({1}))] == [3]
    assert new_criticals(found, frozenset({1, 3})) == []


def test_a_draft_of_nothing_has_its_own_prefix_in_every_key() -> None:
    draft: Draft = empty("abc")
    assert draft.tree.root.id.startswith("abc")
