"""docs/alerts.md says what the product does: its examples are accepted, its numbers are those of the code."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rules.messages import Label
from rules.notify.outbox import JITTER, PAUSES_S, PAUSES_WHILE_AWAY_S, TRIES, TRIES_WHILE_AWAY
from rules.notify.templates import NEWS, AlertText, webhook_document
from rules.notify.wishes import ChainStep, NewChain, Wish
from rules.parse import parse_schedule
from rules.silences import NewSilence
from tests.helpers import REPOSITORY
from warehouse.queries.alarm_board import FLOOD_ENDS_BELOW
from warehouse.queries.alarm_quality import CHATTER_COUNT, FLOOD_ABOVE, FLOOD_WINDOW, STANDING_AFTER

PAGE = (REPOSITORY / "docs" / "alerts.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"```json (\w+)\n(.*?)```", PAGE, re.DOTALL))


def example(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(EXAMPLES[kind])
    return found


def test_the_silence_and_the_preference_are_read() -> None:
    quiet, wish = example("silence"), example("preference")
    NewSilence(starts_at=datetime.now(UTC), **quiet)
    Wish(**wish)
    for window in (quiet["schedule"], wish["hours"]):
        parse_schedule("time_window", window, ZoneInfo("UTC"))


def test_the_chain_is_read() -> None:
    found = example("chain")
    steps = [ChainStep(**step) for step in found.pop("steps")]
    assert [step.after_minutes for step in NewChain(**found, steps=steps).steps] == [0, 10, 30]


def test_a_webhook_gets_exactly_what_the_page_shows() -> None:
    shown = example("webhook")
    data = shown["data"]
    text = AlertText(
        alert_id=150,
        rule_name=data["rule_name"],
        device_name=data["device_name"],
        severity="critical",
        triggered_at=datetime(2026, 2, 19, 14, 30, tzinfo=UTC),
        message=data["message"],
        values={"spindle_temp": 82.5},
        labels={"spindle_temp": Label("Spindle temperature", "°C")},
    )
    facts = {name: data[name] for name in ("rule_id", "device_id", "device_key")}
    now = datetime(2026, 2, 19, 14, 30, 1, tzinfo=UTC)
    assert webhook_document(text, "https://factory.example", NEWS, now, facts) == shown


@pytest.mark.parametrize(
    "said",
    [
        f"tried {TRIES} times: again after {PAUSES_S[0]:g} and {PAUSES_S[1]:g} s",
        f"tried {TRIES_WHILE_AWAY} times over {sum(PAUSES_WHILE_AWAY_S) / 60:.0f} minutes",
        f"floods (more than {FLOOD_ABOVE} in {FLOOD_WINDOW.total_seconds() / 60:g} minutes, over below {FLOOD_ENDS_BELOW})",
        f"stands for more than {STANDING_AFTER.total_seconds() / 3600:g} hours",
        "Pauses vary by a fifth",
    ],
)
def test_the_numbers_of_the_page_are_those_of_the_code(said: str) -> None:
    assert said in PAGE
    assert (JITTER, CHATTER_COUNT) == (0.2, 3)
