"""The parts of an alert's explanation: what is known in, HTML out."""

import re
from html import escape
from typing import Final

from dashboards import fmt, ui
from dashboards.alert_data import Detail
from dashboards.fmt import Local
from warehouse.queries.alerts import AlertRow, HistoryLine
from warehouse.queries.devices import DeviceRow

_MEASURED: Final = re.compile(r"^([^()]*\([^)]*\))")
CHANNEL_WORDS: Final = {"email": "E-mail", "whatsapp": "WhatsApp", "webhook": "Webhook"}


def head(a: AlertRow, now: DeviceRow | None, local: Local) -> str:
    """Severity, number, title, machine and how it is now."""
    beside = " · ".join(escape(part) for part in (a.device_name if a.device_name != a.device_key else a.device_kind, a.region) if part)
    raised = f'raised <time title="{local.stamp(a.triggered_at)}">{local.time(a.triggered_at)}</time>, {local.ago(a.triggered_at)}'
    over = "".join(f'<span class="chip">{ui.icon(glyph)}{text}</span>' for glyph, text in state_chips(a))
    return (
        f'<div class="row wraps"><span class="row-start">'
        f'<span class="chip {a.severity}">{ui.icon(a.severity)}{a.severity.capitalize()}</span>'
        f"{over}</span><small>A-{a.id} · {raised}</small></div>"
        f'<h1 style="margin-top:6px">{escape(a.title)}</h1>'
        f'<div class="ident">{ui.link(ui.machine_url(a.device_key), "<b>" + escape(a.device_key) + "</b>")}'
        f"<span>{beside}</span>{ui.state(now.state) if now else ''}</div>"
    )


def state_chips(a: AlertRow) -> list[tuple[str, str]]:
    """Icon and word of everything that makes this alert unlike a fresh one."""
    found = []
    if a.resolved_at:
        found.append(("check", "Resolved"))
    elif a.acknowledged_at:
        found.append(("check", "Acknowledged"))
    if a.is_silenced:
        found.append(("bell", "Silenced"))
    if a.cleared_at and not a.resolved_at:
        found.append(("clock", "Condition over"))
    if a.repeat_count:
        found.append(("clock", f"Raised {a.repeat_count + 1:,} times"))
    return found


def sentence(message: str) -> str:
    """The alert's own words, one condition a line, with what was measured in bold."""
    return "<br>and ".join(_MEASURED.sub(r"<b>\1</b>", escape(part), count=1) for part in message.split(" AND "))


def steps(found: Detail, local: Local) -> str:
    """What happened, in order."""
    a = found.alert
    told = [(line.happened_at, *line_words(line, a), line.comment) for line in found.history]
    kinds = {line.kind for line in found.history}
    # Alerts from before there was a history, and those that the demo begins with.
    if "triggered" not in kinds:
        told.append((a.triggered_at, f"Alert raised, {a.severity}", f"s-{a.severity}", ""))
    if a.acknowledged_at and "acknowledged" not in kinds:
        told.append((a.acknowledged_at, f"{a.acknowledged_by or 'Somebody'} acknowledged it", "", ""))
    if a.resolved_at and "resolved" not in kinds:
        told.append((a.resolved_at, f"{a.resolved_by or 'Somebody'} resolved it", "", a.resolution_comment))
    if found.sent.first_at:
        told.append((found.sent.first_at, sent_words(found), "", ""))
    rows = "".join(
        f'<div class="{tone}"><time title="{local.stamp(at)}">{local.time(at)}</time><span>{escape(text)}'
        f"{': ' + escape(comment) if comment else ''}</span></div>"
        for at, text, tone, comment in sorted(told, key=lambda step: step[0])
    )
    if found.sent.pending:
        rows += f"<div><time>now</time><span>{fmt.plural(found.sent.pending, 'message')} on the way</span></div>"
    if found.sent.failed:
        rows += (
            f"<div><time></time><span>{fmt.plural(found.sent.failed, 'message')} could not be delivered. "
            f"{ui.link('/alerts?tab=silences', 'See why', 'act-link')}</span></div>"
        )
    return f'<div class="steps">{rows}</div>'


def line_words(line: HistoryLine, a: AlertRow) -> tuple[str, str]:
    """A line of the history in words, and its tone."""
    who = line.person or "Somebody"
    messages = fmt.plural(int(line.details.get("messages", 0)), "message")
    words = {
        "triggered": f"Alert raised, {a.severity}",
        "silenced": "Held back by a silence",
        "told": f"The silence was over, {messages} sent",
        "repeated": "The condition holds again",
        "acknowledged": f"{who} acknowledged it",
        "assigned": f"{who} assigned it to {line.details.get('assignee') or 'nobody'}",
        "commented": who,
        "escalated": f"Nobody acknowledged it; {line.details.get('to') or 'the next person'} was told",
        "reminded": f"Reminder, {messages}",
        "cleared": "The condition does not hold any more",
        "resolved": "Resolved by itself: the condition is over" if a.is_resolved_automatically else f"{who} resolved it",
    }
    return words[line.kind], f"s-{a.severity}" if line.kind in {"triggered", "repeated"} else ""


def sent_words(found: Detail) -> str:
    """`E-mail to 3 people, Webhook to 1 system`."""
    return ", ".join(
        f"{CHANNEL_WORDS.get(channel, channel)} to {fmt.plural(n, *(('system',) if channel == 'webhook' else ('person', 'people')))}"
        for channel, n in found.sent.by_channel.items()
    )


def known(found: Detail, local: Local) -> str:
    """The same alert on the same machine, earlier."""
    facts = [("Same alert, 90 days", fmt.plural(found.before.count, "time") if found.before.count else "never before")]
    last = found.before.last
    if last:
        lasted = f", {fmt.span((last.resolved_at - last.triggered_at).total_seconds())}" if last.resolved_at else ", still open"
        facts.append(("Last time", f"{local.here(last.triggered_at):%-d %b}{lasted}"))
        if last.resolution_comment:
            facts.append(("What helped then", last.resolution_comment))
        if last.resolved_by:
            facts.append(("Resolved by", last.resolved_by))
    if found.alert.assigned_to:
        facts.insert(0, ("Assigned to", found.alert.assigned_to))
    if found.alert.last_raised_at:
        facts.insert(0, ("Last raised", local.ago(found.alert.last_raised_at)))
    rule = f"<dt>Rule</dt><dd>{ui.link(f'/rule?id={found.alert.rule_id}', escape(found.alert.title), 'act-link')}</dd>"
    return '<dl class="facts">' + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts) + rule + "</dl>"
