"""Texts of notifications on each channel, in the specification's format."""

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from rules.messages import Label
from rules.notify.templates import AlertText, DigestLine, Occasion, Rendered, digest, rendered

ALERT = AlertText(
    alert_id=150,
    rule_name="Spindle Overheat",
    device_name="CNC Mill - Station A (M01)",
    severity="critical",
    triggered_at=datetime(2026, 2, 19, 10, 30, tzinfo=UTC),
    message="Spindle temperature exceeded 80°C",
    values={"spindle_temp": 82.3, "coolant_flow": 3.5, "mode": "auto"},
    labels={"spindle_temp": Label("Spindle temperature", "°C"), "coolant_flow": Label("Coolant flow", "L/min")},
)
URL = "https://factory.example/"


class Words(HTMLParser):
    """What a mail program shows, and what it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_mail_has_the_specifications_format() -> None:
    mail = rendered("email", ALERT, URL)
    assert mail.subject == "[CRITICAL] FactoryOps Alert - Spindle Overheat"
    assert mail.body == (
        "Rule: Spindle Overheat\n"
        "Device: CNC Mill - Station A (M01)\n"
        "Severity: CRITICAL\n"
        "Time: 2026-02-19T10:30:00Z\n"
        "\n"
        "Spindle temperature exceeded 80°C\n"
        "\n"
        "Current Values:\n"
        "- spindle_temp: 82.3°C\n"
        "- coolant_flow: 3.5 L/min\n"
        "- mode: auto\n"
        "\n"
        "Open the alert: https://factory.example/alerts?id=150\n"
    )


def test_the_page_of_a_mail_says_the_same_and_loads_nothing() -> None:
    found = Words(rendered("email", ALERT, URL).html or "")
    assert found.links == ["https://factory.example/alerts?id=150"]
    assert not found.tags & {"img", "script", "link", "style"}
    said = "|".join(found.words)
    for word in ("CRITICAL", "Spindle Overheat", "CNC Mill - Station A (M01)", "2026-02-19T10:30:00Z", "82.3°C", "3.5 L/min", "auto"):
        assert word in said


def test_what_people_named_is_text_and_not_markup() -> None:
    mail = rendered("email", replace(ALERT, rule_name="<b>Hot</b>\nBcc: all", device_name="<script>"), URL)
    assert mail.subject == "[CRITICAL] FactoryOps Alert - <b>Hot</b> Bcc: all"
    assert not Words(mail.html or "").tags & {"b", "script"}


def test_a_whatsapp_message_is_text_with_stars() -> None:
    message = rendered("whatsapp", ALERT, URL)
    assert message.html is None
    assert message.body.splitlines()[:4] == [
        "*Rule:* Spindle Overheat",
        "*Device:* CNC Mill - Station A (M01)",
        "*Severity:* CRITICAL",
        "*Time:* 2026-02-19T10:30:00Z",
    ]
    assert "- spindle_temp: *82.3°C*" in message.body
    assert message.body.endswith("https://factory.example/alerts?id=150")


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("escalation", "[ESCALATED] [CRITICAL] FactoryOps Alert - Spindle Overheat"),
        ("reminder", "[REMINDER] [CRITICAL] FactoryOps Alert - Spindle Overheat"),
        ("all_clear", "[RESOLVED] [CRITICAL] FactoryOps Alert - Spindle Overheat"),
    ],
)
def test_later_messages_say_why_they_come(kind: str, subject: str) -> None:
    mail = rendered("email", replace(ALERT, repeat_count=3), URL, Occasion(kind, "Because."))
    assert mail.subject == subject
    assert mail.body.startswith("Because.\n\nRule: ")
    assert "Repeats: 3\n" in mail.body
    assert "Values when it was raised:" in mail.body


@pytest.mark.parametrize("channel", ["email", "whatsapp"])
def test_a_digest_has_a_line_for_each_alert(channel: str) -> None:
    other = replace(ALERT, alert_id=151, severity="low", rule_name="Idle", message="Power below 2 kW")
    found: Rendered = digest(channel, [DigestLine(ALERT), DigestLine(other, is_resolved=True)], URL)
    assert found.subject == "FactoryOps Alerts - 2 alerts: 1 critical, 1 low"
    assert "[LOW] Idle, CNC Mill - Station A (M01), 2026-02-19T10:30:00Z (resolved)\n  Power below 2 kW" in found.body
    links = ["https://factory.example/alerts?id=150", "https://factory.example/alerts?id=151", "https://factory.example/alerts"]
    assert all(link in found.body for link in links)
    assert (found.html is None) is (channel == "whatsapp")
    if found.html:
        assert Words(found.html).links == links
