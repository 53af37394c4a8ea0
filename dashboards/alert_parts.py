"""The parts of an alert's explanation: what is known in, HTML out."""

import re
from html import escape
from typing import Final

from dashboards import fmt, ui
from dashboards.alert_data import Detail
from dashboards.fmt import Local
from warehouse.queries.alerts import AlertRow
from warehouse.queries.devices import DeviceRow

_MEASURED: Final = re.compile(r"^([^()]*\([^)]*\))")
CHANNEL_WORDS: Final = {"email": "E-mail", "whatsapp": "WhatsApp"}


def head(a: AlertRow, now: DeviceRow | None, local: Local) -> str:
    """Severity, number, title, machine and how it is now."""
    beside = " · ".join(escape(part) for part in (a.device_name if a.device_name != a.device_key else a.device_kind, a.region) if part)
    raised = f'raised <time title="{local.stamp(a.triggered_at)}">{local.time(a.triggered_at)}</time>, {local.ago(a.triggered_at)}'
    over = f'<span class="chip">{ui.icon("check")}Resolved</span>' if a.resolved_at else ""
    return (
        f'<div class="row"><span class="row-start"><span class="chip {a.severity}">{ui.icon(a.severity)}{a.severity.capitalize()}</span>'
        f"{over}</span><small>A-{a.id} · {raised}</small></div>"
        f'<h1 style="margin-top:6px">{escape(a.title)}</h1>'
        f'<div class="ident">{ui.link(ui.machine_url(a.device_key), "<b>" + escape(a.device_key) + "</b>")}'
        f"<span>{beside}</span>{ui.state(now.state) if now else ''}</div>"
    )


def sentence(message: str) -> str:
    """The alert's own words, one condition a line, with what was measured in bold."""
    return "<br>and ".join(_MEASURED.sub(r"<b>\1</b>", escape(part), count=1) for part in message.split(" AND "))


def steps(found: Detail, local: Local) -> str:
    """What happened, in order."""
    a = found.alert
    told = [(a.triggered_at, f"Alert raised, {a.severity}", f"s-{a.severity}")]
    if found.sent.first_at:
        words = ", ".join(
            f"{CHANNEL_WORDS.get(channel, channel)} to {fmt.plural(n, 'person', 'people')}" for channel, n in found.sent.by_channel.items()
        )
        told.append((found.sent.first_at, words, ""))
    if a.acknowledged_at:
        told.append((a.acknowledged_at, f"{a.acknowledged_by or 'Somebody'} acknowledged it", ""))
    if a.resolved_at:
        told.append(
            (
                a.resolved_at,
                f"{a.resolved_by or 'Somebody'} resolved it" + (f": {a.resolution_comment}" if a.resolution_comment else ""),
                "",
            )
        )
    rows = "".join(
        f'<div class="{tone}"><time title="{local.stamp(at)}">{local.time(at)}</time><span>{escape(text)}</span></div>'
        for at, text, tone in sorted(told, key=lambda step: step[0])
    )
    if found.sent.pending:
        rows += f"<div><time>now</time><span>{fmt.plural(found.sent.pending, 'message')} on the way</span></div>"
    if found.sent.failed:
        rows += f"<div><time></time><span>{fmt.plural(found.sent.failed, 'message')} could not be delivered</span></div>"
    return f'<div class="steps">{rows}</div>'


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
    facts.append(("Rule", found.alert.title))
    return '<dl class="facts">' + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts) + "</dl>"
