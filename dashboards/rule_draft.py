"""A rule while it is being edited: everything that the form holds, and the fields that are saved. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final

from dashboards.rule_reading import from_json, number_of, read
from dashboards.rule_tree import Tree, new_tree
from rules.parse import parse_definition
from rules.parse_schedules import ShiftTimes, parse_schedule
from warehouse.errors import InvalidInputError
from warehouse.models.alerting import CHANNELS

OWN_HOURS: Final = ""
EVERY_DAY: Final = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True)
class Window:
    """Hours of some days: a named shift, or from `start` to `end`."""

    shift: str = OWN_HOURS
    start: str = "06:00"
    end: str = "22:00"
    days: tuple[int, ...] = EVERY_DAY


@dataclass(frozen=True)
class Span:
    """Days from `start` to `end` (YYYY-MM-DD), both included; empty: open on that side."""

    start: str = ""
    end: str = ""


@dataclass(frozen=True)
class Draft:
    """A rule as the form holds it. Numbers are as typed."""

    prefix: str
    """Of the keys of all widgets: another one for each document that is opened."""
    tree: Tree
    rule_id: int | None = None
    seen_at: datetime | None = None
    """When the rule was last changed, as it was opened: somebody else may change it meanwhile."""
    name: str = ""
    description: str = ""
    severity: str = "medium"
    scope: str = "global"
    device_ids: tuple[int, ...] = ()
    cooldown: str = "15"
    clear: Tree | None = None
    """None: the alert is over when the condition is false."""
    off_delay: str = ""
    auto_resolve: bool = False
    windows: tuple[Window, ...] = ()
    spans: tuple[Span, ...] = ()
    channels: tuple[str, ...] = ("email",)
    says_channels: bool = False
    """The rule itself names its channels; else e-mail is what rules do."""
    is_active: bool = True


@dataclass(frozen=True)
class Checked:
    """What a draft comes to."""

    fields: dict[str, Any] | None
    """As `rules.keeping.FIELDS`; None when something is wrong."""
    errors: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Words about what is wrong, by place: id of a node or `draft`, and field."""


def empty(prefix: str) -> Draft:
    """A new rule."""
    return Draft(prefix, new_tree(f"{prefix}w"))


def opened(
    fields: Mapping[str, Any], device_ids: Sequence[int], prefix: str, *, rule_id: int | None = None, seen_at: datetime | None = None
) -> Draft:
    """A rule from its columns. Raises InvalidInputError when its condition cannot be read."""
    parse_definition(fields["conditions"])
    conditions = fields["conditions"]
    whole = conditions if "when" in conditions else {"when": conditions}
    windows, spans = _schedule_from(fields.get("schedule_config") or {}, str(fields.get("schedule_type") or "always"))
    named = fields.get("notification_channels")
    return Draft(
        prefix,
        from_json(whole["when"], f"{prefix}w"),
        rule_id=rule_id,
        seen_at=seen_at,
        name=fields["name"],
        description=fields.get("description") or "",
        severity=fields.get("severity") or "medium",
        scope=fields.get("scope") or "global",
        device_ids=tuple(device_ids),
        cooldown=f"{fields.get('cooldown_minutes', 15):g}",
        clear=from_json(whole["clear"], f"{prefix}c") if whole.get("clear") is not None else None,
        off_delay=f"{whole['off_delay_minutes']:g}" if whole.get("off_delay_minutes") else "",
        auto_resolve=bool(whole.get("auto_resolve")),
        windows=windows,
        spans=spans,
        channels=("email",) if named is None else tuple(channel for channel in CHANNELS if named.get(channel) is True),
        says_channels=named is not None,
        is_active=fields.get("is_active", True) is not False,
    )


def checked(draft: Draft, zone: tzinfo, shifts: ShiftTimes) -> Checked:
    """The fields to save, or everything that is wrong."""
    errors: dict[tuple[str, str], str] = {}
    conditions = definition_of(draft, errors)
    schedule_type, config = schedule_of(draft)
    try:
        parse_schedule(schedule_type, config, zone, shifts=shifts)
    except InvalidInputError as wrong:
        errors["draft", "schedule"] = _bare(wrong)
    cooldown = _minutes(draft.cooldown, "cooldown", errors)
    if not draft.name.strip():
        errors["draft", "name"] = "give the rule a name"
    if draft.scope == "device" and not draft.device_ids:
        errors["draft", "devices"] = "choose at least one machine"
    if errors or conditions is None:
        return Checked(None, errors)
    said = draft.says_channels or draft.channels != ("email",)
    return Checked(
        {
            "name": draft.name.strip(),
            "description": draft.description.strip() or None,
            "scope": draft.scope,
            "conditions": conditions,
            "cooldown_minutes": cooldown,
            "severity": draft.severity,
            "schedule_type": schedule_type,
            "schedule_config": config,
            "notification_channels": {channel: channel in draft.channels for channel in CHANNELS} if said else None,
            "is_active": draft.is_active,
        }
    )


def schedule_of(draft: Draft) -> tuple[str, dict[str, Any] | None]:
    """`schedule_type` and `schedule_config` in their shortest form."""
    windows = [_window_json(window) for window in draft.windows]
    spans = [{f"{name}_date": value for name, value in (("start", one.start), ("end", one.end)) if value} for one in draft.spans]
    if spans:
        config: dict[str, Any] = dict(spans[0]) if len(spans) == 1 else {"ranges": spans}
        return "date_range", config | ({"windows": windows} if windows else {})
    if windows:
        return "time_window", windows[0] if len(windows) == 1 else {"windows": windows}
    return "always", None


def definition_of(draft: Draft, errors: dict[tuple[str, str], str]) -> dict[str, Any] | None:
    """When it alerts and when that is over, as JSON; None, and words in `errors`, when something is wrong."""
    when = read(draft.tree)
    errors |= when.errors
    clear = read(draft.clear) if draft.clear is not None else None
    errors |= clear.errors if clear else {}
    delay = _minutes(draft.off_delay, "off_delay", errors) if draft.off_delay.strip() else 0
    if when.document is None or (clear and clear.document is None):
        return None
    more: dict[str, Any] = {"clear": clear.document} if clear else {}
    more |= {"off_delay_minutes": delay} if delay else {}
    more |= {"auto_resolve": True} if draft.auto_resolve else {}
    document = {"when": when.document, **more} if more else when.document
    try:
        parse_definition(document)
    except InvalidInputError as wrong:
        errors["draft", "clear"] = _bare(wrong)
    return document


def _minutes(typed: str, name: str, errors: dict[tuple[str, str], str]) -> float:
    try:
        found = number_of(typed)
    except ValueError as wrong:
        errors["draft", name] = str(wrong)
        return 0
    if not 0 <= found <= 7 * 24 * 60:
        errors["draft", name] = "0 to 10080 minutes (a week)"
    return found


def _window_json(window: Window) -> dict[str, Any]:
    found: dict[str, Any] = {"shift": window.shift} if window.shift else {"start_time": window.start, "end_time": window.end}
    return found if window.days == EVERY_DAY else found | {"days": list(window.days)}


def _schedule_from(config: Mapping[str, Any], kind: str) -> tuple[tuple[Window, ...], tuple[Span, ...]]:
    if kind == "always":
        return (), ()
    if kind == "time_window":
        return tuple(_window_from(one) for one in config.get("windows") or [config]), ()
    spans = tuple(Span(one.get("start_date") or "", one.get("end_date") or "") for one in config.get("ranges") or [config])
    return tuple(_window_from(one) for one in config.get("windows") or []), spans


def _window_from(one: Mapping[str, Any]) -> Window:
    days = tuple(sorted(one.get("days") or EVERY_DAY))
    if "shift" in one:
        return Window(one["shift"], days=days)
    start, end = (str(one.get(f"{name}_time", one.get(name)) or "") for name in ("start", "end"))
    return Window(OWN_HOURS, start, end, days)


def _bare(wrong: InvalidInputError) -> str:
    """The refusal without its place, which the field shows."""
    return wrong.message.removeprefix(str(wrong.facts.get("path", ""))).strip()
