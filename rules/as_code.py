"""Rules as a YAML file: export, validation, difference, import; and the ready-made templates.

rules:
  - name: Spindle overheat
    scope: device
    devices: [M01, M02]            # keys of the machines, so that a file fits more than one installation
    conditions: {parameter: spindle_temp, operator: gt, threshold: 80}
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from rules.keeping import FIELDS, add_rule, change_rule
from rules.parse import definition_to_json, parse_definition
from rules.store import compiled_rule
from warehouse.access.audit import Actor
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.alerting import SCHEDULE_TYPES, SCOPES, Rule, RuleDevice
from warehouse.models.devices import Device
from warehouse.models.people import Factory
from warehouse.shifts import clock_of
from warehouse.tenancy import tenant_session
from warehouse.terms import SEVERITIES

DEFAULTS: Final[dict[str, Any]] = {
    "description": None,
    "scope": "global",
    "cooldown_minutes": 15,
    "severity": "medium",
    "schedule_type": "always",
    "schedule_config": None,
    "notification_channels": None,
    "is_active": True,
}
"""What a file may leave out."""
_KEYS: Final = (*FIELDS, "devices")
_CHOICES: Final = {"scope": SCOPES, "severity": SEVERITIES, "schedule_type": SCHEDULE_TYPES}


@dataclass(frozen=True)
class Change:
    """What importing a file does to one rule."""

    name: str
    kind: str
    """`new`, `changed`, `same`, or `only here`: not in the file, left alone."""
    differences: tuple[str, ...] = ()
    """`severity: high -> critical`."""


def export_rules(db: Database, factory_id: int) -> str:
    """All rules of a factory as YAML, by name; what stands at its default is left out."""
    with tenant_session(db, factory_id) as session:
        documents = [document for _, document in sorted(_present(session).items())]
    return _yaml(
        {"rules": [{key: value for key, value in one.items() if key not in DEFAULTS or value != DEFAULTS[key]} for one in documents]}
    )


def read_rules(text: str) -> list[dict[str, Any]]:
    """The rules of a YAML file, complete and checked in form. Raises InvalidInputError with the place (`$.rules[2].severity`)."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as wrong:
        raise InvalidInputError(f"this is no YAML: {wrong}", path="$") from wrong
    if not isinstance(document, Mapping) or set(document) != {"rules"} or not isinstance(document["rules"], list):
        raise InvalidInputError('$ must be a mapping with one key "rules", which is a list', path="$")
    found = [_complete(one, f"$.rules[{i}]") for i, one in enumerate(document["rules"])]
    names = [one["name"] for one in found]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise InvalidInputError(f"$.rules[{i}].name {name!r} is there twice", path=f"$.rules[{i}].name")
    return found


def compare_rules(db: Database, factory_id: int, text: str) -> list[Change]:
    """What importing the file would change; nothing is written. Raises InvalidInputError, also for what could not be evaluated."""
    documents = read_rules(text)
    with tenant_session(db, factory_id) as session:
        _check(session, factory_id, documents)
        present = _present(session)
    found = [_change(one, present.get(one["name"])) for one in documents]
    named = {one["name"] for one in documents}
    return [*found, *(Change(name, "only here") for name in present if name not in named)]


def import_rules(db: Database, clock: Clock, actor: Actor, text: str) -> list[Change]:
    """Makes and changes the factory's rules as the file says, by name; gives what was done. Rules that the file does not name stay.

    Every rule is checked before the first one is written. Raises InvalidInputError.
    """
    changes = compare_rules(db, actor.factory_id, text)
    documents = {one["name"]: one for one in read_rules(text)}
    with tenant_session(db, actor.factory_id) as session:
        ids = {row.name: row.id for row in session.execute(select(Rule.name, Rule.id).order_by(Rule.id.desc()))}
        keys = {row.device_key: row.id for row in session.execute(select(Device.device_key, Device.id))}
    for change in changes:
        if change.kind not in {"new", "changed"}:
            continue
        document = documents[change.name]
        fields, devices = {key: document[key] for key in FIELDS}, [keys[key] for key in document["devices"]]
        if change.kind == "new":
            add_rule(db, clock, actor, fields, devices)
        else:
            change_rule(db, clock, actor, ids[change.name], fields, devices)
    return changes


def templates() -> dict[str, dict[str, Any]]:
    """The ready-made rules by name, as documents of a file."""
    text = files("rules.templates").joinpath("ten.yaml").read_text(encoding="utf-8")
    return {name: _complete(document, f"$.{name}") for name, document in yaml.safe_load(text).items()}


def template_yaml(name: str) -> str:
    """One template as a file to edit and import. Raises InvalidInputError for an unknown name."""
    known = templates()
    if name not in known:
        raise InvalidInputError(f"there is no template {name!r}; there are: {', '.join(known)}", path="template", allowed=list(known))
    return _yaml({"rules": [{key: value for key, value in known[name].items() if key not in DEFAULTS or value != DEFAULTS[key]}]})


def _complete(document: object, path: str) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise InvalidInputError(f"{path} must be a mapping", path=path)
    for key in document:
        if key not in _KEYS:
            raise InvalidInputError(
                f"{path}.{key} is not known here; allowed: {', '.join(_KEYS)}", path=f"{path}.{key}", allowed=list(_KEYS)
            )
    found = DEFAULTS | {"devices": []} | dict(document)
    if "scope" not in document and found["devices"]:
        found["scope"] = "device"
    name = found.get("name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 255:
        raise InvalidInputError(f"{path}.name must be a text of 1 to 255 characters", path=f"{path}.name")
    for key, allowed in _CHOICES.items():
        if found[key] not in allowed:
            raise InvalidInputError(f"{path}.{key} {found[key]!r} is not allowed; allowed: {', '.join(allowed)}", path=f"{path}.{key}")
    for key, kinds, said in _FORMS:
        if not isinstance(found[key], kinds) or (isinstance(found[key], bool) and bool not in kinds):
            raise InvalidInputError(f"{path}.{key} must be {said}", path=f"{path}.{key}")
    if found["cooldown_minutes"] < 0:
        raise InvalidInputError(f"{path}.cooldown_minutes must not be negative", path=f"{path}.cooldown_minutes")
    # In the form in which conditions are written back, so that a difference is one.
    found["conditions"] = definition_to_json(parse_definition(found.get("conditions"), f"{path}.conditions"))
    return found


_FORMS: Final[tuple[tuple[str, tuple[type, ...], str], ...]] = (
    ("description", (str, type(None)), "a text"),
    ("cooldown_minutes", (int, float), "a number"),
    ("schedule_config", (dict, type(None)), "a mapping"),
    ("notification_channels", (dict, type(None)), "a mapping"),
    ("is_active", (bool,), "true or false"),
    ("devices", (list,), "a list of the keys of machines"),
)


def _check(session: Session, factory_id: int, documents: Sequence[Mapping[str, Any]]) -> None:
    clock = clock_of(session.scalars(select(Factory)).one())
    keys = set(session.scalars(select(Device.device_key)))
    for i, document in enumerate(documents):
        path = f"$.rules[{i}]"
        unknown = [key for key in document["devices"] if key not in keys]
        if unknown:
            raise InvalidInputError(f"{path}.devices: there is no machine {unknown[0]!r} in this factory", path=f"{path}.devices")
        if (document["scope"] == "device") != bool(document["devices"]):
            message = f"{path}.devices must name machines for scope device, and none for scope global"
            raise InvalidInputError(message, path=f"{path}.devices")
        row = Rule(id=0, factory_id=factory_id, **{key: document[key] for key in FIELDS})
        try:
            compiled_rule(row, clock, frozenset({0}))
        except InvalidInputError as wrong:
            raise InvalidInputError(f"{path} ({document['name']}): {wrong.message}", **{**wrong.facts, "path": path}) from wrong


def _present(session: Session) -> dict[str, dict[str, Any]]:
    """The factory's rules by name, as documents; of several with one name the first."""
    keys = {row.id: row.device_key for row in session.execute(select(Device.id, Device.device_key))}
    devices: dict[int, list[str]] = {}
    for link in session.scalars(select(RuleDevice)):
        devices.setdefault(link.rule_id, []).append(keys[link.device_id])
    found: dict[str, dict[str, Any]] = {}
    for row in session.scalars(select(Rule).order_by(Rule.id)):
        document = {key: getattr(row, key) for key in FIELDS} | {"devices": sorted(devices.get(row.id, []))}
        # What cannot be read is written out as it stands: whoever imports the file is told what is wrong with it.
        with suppress(InvalidInputError):
            document["conditions"] = definition_to_json(parse_definition(row.conditions))
        found.setdefault(row.name, document)
    return found


def _change(document: Mapping[str, Any], present: Mapping[str, Any] | None) -> Change:
    if present is None:
        return Change(document["name"], "new")
    wanted = {**document, "devices": sorted(document["devices"])}
    differences = tuple(f"{key}: {_short(present[key])} -> {_short(wanted[key])}" for key in _KEYS if present[key] != wanted[key])
    return Change(document["name"], "changed" if differences else "same", differences)


def _short(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True).replace("\n...", "").strip()


def _yaml(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
