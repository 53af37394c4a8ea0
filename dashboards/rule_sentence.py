"""A rule as one plain sentence, in HTML. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dashboards.alert_parts import CHANNEL_WORDS
from dashboards.rule_data import Known
from rules.parse import parse_definition
from rules.schedule_words import schedule_words
from rules.store import channels_of
from rules.wording import END, STRONG, condition_words, definition_words, listed, minutes_words, plain
from warehouse.errors import InvalidInputError
from warehouse.queries.rules import RuleRow


def sentence(fields: Mapping[str, Any], device_ids: Sequence[int], known: Known) -> str:
    """What the rule does: when, for whom, until when, how often, who is told. The fields are those of a rule that can be evaluated."""
    definition = parse_definition(fields["conditions"])
    when, over = definition_words(definition, known.labels)
    begin = f"Raise a {strong(fields['severity'])} alert for {strong(machines(fields['scope'], device_ids, known))} when {marked(when)}."
    parts = [begin, f"It is over when {marked(over)}."]
    hours = schedule_words(fields["schedule_type"], fields["schedule_config"])
    again = fields["cooldown_minutes"]
    often = f"at most once every {strong(minutes_words(again))} a machine" if again else "each time a message meets it"
    parts.append(f"Only {strong(hours)}, {often}." if hours else f"{often[0].upper()}{often[1:]}.")
    told = [CHANNEL_WORDS[channel] for channel in channels_of(fields["notification_channels"])]
    parts.append(f"People are told by {strong(listed(told, 'and'))}." if told else "Nobody is told; it only appears here.")
    return " ".join(parts)


def short_words(row: RuleRow, known: Known) -> str:
    """When it alerts, as plain text for a list; what is wrong with a rule that cannot be read."""
    try:
        condition = parse_definition(row.conditions).condition
    except InvalidInputError as wrong:
        return f"This rule is not evaluated: {wrong.message}"
    words = plain(condition_words(condition, known.labels))
    hours = schedule_words(row.schedule_type, row.schedule_config)
    return f"{words[0].upper()}{words[1:]}" + (f", only {hours}" if hours else "")


def machines(scope: str, device_ids: Sequence[int], known: Known) -> str:
    """Which machines, in words."""
    if scope == "global":
        return "any machine"
    keys = [known.machines.get(device_id, "a machine that is gone").split(" · ")[0] for device_id in device_ids]
    if len(keys) <= 3:
        return listed(keys, "or") if keys else "no machine yet"
    return f"{', '.join(keys[:2])} and {len(keys) - 2} others"


def strong(text: str) -> str:
    """What can be chosen, in the colour of what one can act on."""
    return f"<em>{escape(text)}</em>"


def marked(text: str) -> str:
    """The words of `rules.wording` as HTML, with what decides in bold."""
    return escape(text).replace(STRONG, "<b>").replace(END, "</b>")
