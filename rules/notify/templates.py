"""Texts of notifications: subject and body in the specification's format, once for mails (text and HTML) and once for WhatsApp. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from rules.messages import Label, label_of, with_unit

_COLOURS: Final = {"critical": "#B3261E", "high": "#A04A00", "medium": "#6E5600", "low": "#3D566E"}
LONGEST_SUBJECT: Final = 500


@dataclass(frozen=True, slots=True)
class AlertText:
    """What a notification tells of an alert."""

    alert_id: int
    rule_name: str
    device_name: str
    severity: str
    triggered_at: datetime
    message: str
    values: Mapping[str, float | str]
    labels: Mapping[str, Label]
    repeat_count: int = 0


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why it is told: one of `warehouse.models.alerting.NOTIFICATION_KINDS`, and the sentence that says so above the facts."""

    kind: str = "alert"
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message as it goes out; `html` only where the channel can carry it."""

    subject: str
    body: str
    html: str | None = None


_PREFIXES: Final = {"alert": "", "escalation": "[ESCALATED] ", "reminder": "[REMINDER] ", "all_clear": "[RESOLVED] "}
NEWS: Final = Occasion()


def device_title(name: str | None, device_key: str) -> str:
    """`CNC Mill - Station A (M01)`, or the key alone when the device has no name."""
    return f"{name} ({device_key})" if name and name != device_key else device_key


def rendered(channel: str, alert: AlertText, app_url: str, occasion: Occasion = NEWS) -> Rendered:
    """The message of a channel: `email` with an HTML part, `whatsapp` as short text with its stars for bold."""
    title = subject(alert, occasion)
    if channel == "whatsapp":
        return Rendered(title, _whatsapp_body(alert, app_url, occasion))
    return Rendered(title, body(alert, app_url, occasion), html(alert, app_url, occasion))


def subject(alert: AlertText, occasion: Occasion = NEWS) -> str:
    """`[CRITICAL] FactoryOps Alert - Spindle Overheat`; one line whatever the rule is called."""
    text = f"{_PREFIXES[occasion.kind]}[{alert.severity.upper()}] FactoryOps Alert - {one_line(alert.rule_name)}"
    return text[:LONGEST_SUBJECT]


def body(alert: AlertText, app_url: str, occasion: Occasion = NEWS) -> str:
    """The plain text of a notification: rule, device, severity, time in UTC, what happened, current values, link to the alert."""
    lines = [
        *((occasion.sentence, "") if occasion.sentence else ()),
        *(f"{name}: {text}" for name, text in _facts(alert)),
        "",
        alert.message,
        "",
        "Current Values:" if occasion.kind == "alert" else "Values when it was raised:",
        *(f"- {parameter}: {text}" for parameter, text in _values(alert)),
        "",
        f"Open the alert: {alert_link(app_url, alert.alert_id)}",
        "",
    ]
    return "\n".join(lines)


def html(alert: AlertText, app_url: str, occasion: Occasion = NEWS) -> str:
    """The same as a page of a mail program: tables and inline styles only, nothing is loaded from anywhere."""
    colour = _COLOURS[alert.severity]
    facts = "".join(_row(name, text) for name, text in _facts(alert) if name != "Severity")
    values = "".join(_row(parameter, text) for parameter, text in _values(alert))
    said = f'<p style="margin:0 0 12px">{escape(occasion.sentence)}</p>' if occasion.sentence else ""
    inside = (
        f'<p style="margin:0 0 4px;color:{colour};font-weight:600">{escape(_PREFIXES[occasion.kind])}{alert.severity.upper()}</p>'
        f'<h1 style="margin:0 0 12px;font-size:20px;line-height:26px">{escape(one_line(alert.rule_name))}</h1>{said}'
        f'<p style="margin:0 0 16px;font-size:15px;line-height:22px">{escape(alert.message)}</p>'
        f'<table role="presentation" cellpadding="0" cellspacing="0" style="margin:0 0 16px">{facts}{values}</table>'
        f"{_button(alert_link(app_url, alert.alert_id), 'Open the alert')}"
    )
    return _page(subject(alert, occasion), inside, colour)


@dataclass(frozen=True, slots=True)
class DigestLine:
    """One alert in a message that tells of several."""

    text: AlertText
    is_resolved: bool = False


def digest(channel: str, lines: Sequence[DigestLine], app_url: str) -> Rendered:
    """One message of several alerts, the worst first as they are given."""
    title = digest_subject([line.text.severity for line in lines])
    entries = [
        f"[{line.text.severity.upper()}] {one_line(line.text.rule_name)}, {line.text.device_name}, {iso_z(line.text.triggered_at)}"
        f"{' (resolved)' if line.is_resolved else ''}\n  {line.text.message}\n  {alert_link(app_url, line.text.alert_id)}"
        for line in lines
    ]
    text = "\n\n".join([*entries, f"All alerts: {app_url.rstrip('/')}/alerts", ""])
    if channel == "whatsapp":
        return Rendered(title, text)
    rows = "".join(
        f'<tr><td style="padding:8px 12px 8px 0;border-top:1px solid #D5DADF;color:{_COLOURS[line.text.severity]};font-weight:600;'
        f'vertical-align:top">{line.text.severity.capitalize()}</td><td style="padding:8px 0;border-top:1px solid #D5DADF">'
        f'<a href="{escape(alert_link(app_url, line.text.alert_id), quote=True)}" style="color:#0B6470;font-weight:600">'
        f"{escape(one_line(line.text.rule_name))}</a>{' (resolved)' if line.is_resolved else ''}<br>"
        f"{escape(line.text.device_name)}, {iso_z(line.text.triggered_at)}<br>{escape(line.text.message)}</td></tr>"
        for line in lines
    )
    table = f'<table role="presentation" cellpadding="0" cellspacing="0" style="margin:0 0 16px;width:100%">{rows}</table>'
    heading = f'<h1 style="margin:0 0 12px;font-size:20px;line-height:26px">{escape(title)}</h1>'
    page = _page(title, heading + table + _button(f"{app_url.rstrip('/')}/alerts", "All alerts"), "#0B6470")
    return Rendered(title, text, page)


def digest_subject(severities: Sequence[str]) -> str:
    """`FactoryOps Alerts - 3 alerts: 2 medium, 1 low`."""
    counts = ", ".join(f"{n} {severity}" for severity in _COLOURS if (n := sum(s == severity for s in severities)))
    return f"FactoryOps Alerts - {len(severities)} alert{'' if len(severities) == 1 else 's'}: {counts}"


def webhook_document(alert: AlertText, app_url: str, occasion: Occasion, now: datetime, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a webhook is sent, ready for JSON: `type` is `alert.triggered`, `alert.escalated`, `alert.reminder` or `alert.resolved`."""
    kinds = {"alert": "triggered", "escalation": "escalated", "reminder": "reminder", "all_clear": "resolved"}
    return {
        "type": f"alert.{kinds[occasion.kind]}",
        "timestamp": iso_z(now),
        "data": {
            "alert_id": alert.alert_id,
            "rule_name": alert.rule_name,
            "device_name": alert.device_name,
            "severity": alert.severity,
            "triggered_at": iso_z(alert.triggered_at),
            "message": alert.message,
            "values": dict(alert.values),
            "units": {parameter: unit for parameter in alert.values if (unit := _unit(alert, parameter))},
            "url": alert_link(app_url, alert.alert_id),
            **facts,
        },
    }


def alert_link(app_url: str, alert_id: int) -> str:
    """Address of an alert's page."""
    return f"{app_url.rstrip('/')}/alerts?id={alert_id}"


def iso_z(moment: datetime) -> str:
    """`2026-02-19T14:30:00Z`; with milliseconds only when there are any."""
    utc = moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds" if utc.microsecond else "seconds") + "Z"


def one_line(text: str) -> str:
    """The text without line breaks: it stands in headers."""
    return " ".join(text.split())


def _facts(alert: AlertText) -> list[tuple[str, str]]:
    facts = [
        ("Rule", one_line(alert.rule_name)),
        ("Device", alert.device_name),
        ("Severity", alert.severity.upper()),
        ("Time", iso_z(alert.triggered_at)),
    ]
    return [*facts, ("Repeats", str(alert.repeat_count))] if alert.repeat_count else facts


def _values(alert: AlertText) -> list[tuple[str, str]]:
    return [
        (parameter, value if isinstance(value, str) else with_unit(value, _unit(alert, parameter)))
        for parameter, value in alert.values.items()
    ]


def _unit(alert: AlertText, parameter: str) -> str:
    return (alert.labels.get(parameter) or label_of(parameter, None, None)).unit


def _whatsapp_body(alert: AlertText, app_url: str, occasion: Occasion) -> str:
    """As the mail, with WhatsApp's stars for bold."""
    lines = [
        *((occasion.sentence, "") if occasion.sentence else ()),
        *(f"*{name}:* {text}" for name, text in _facts(alert)),
        "",
        alert.message,
        "",
        *(f"- {parameter}: *{text}*" for parameter, text in _values(alert)),
        "",
        alert_link(app_url, alert.alert_id),
    ]
    return "\n".join(lines)


def _row(name: str, text: str) -> str:
    return (
        f'<tr><td style="padding:3px 16px 3px 0;color:#4A5561">{escape(name)}</td>'
        f'<td style="padding:3px 0;font-weight:600">{escape(text)}</td></tr>'
    )


def _button(address: str, text: str) -> str:
    return (
        f'<a href="{escape(address, quote=True)}" style="display:inline-block;padding:10px 16px;border-radius:6px;background:#0B6470;'
        f'color:#FFFFFF;text-decoration:none;font-weight:600">{escape(text)}</a>'
    )


def _page(title: str, inside: str, colour: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        '<body style="margin:0;padding:24px;background:#EDEFF1;color:#1A2027;font:14px/20px Inter,Segoe UI,Arial,sans-serif">'
        f'<div style="max-width:560px;margin:0 auto;padding:20px 24px;background:#FFFFFF;border:1px solid #D5DADF;'
        f'border-top:4px solid {colour};border-radius:8px">{inside}</div></body></html>'
    )
