"""`factoryops rules ...`: try rules on history, look over them, and keep them as files."""

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from factoryops.at_home import FactorySlug, Home, factory_id_of, opened
from warehouse.errors import InvalidInputError, NotFoundError

app = typer.Typer(help="Rules: backtest, lint, export, import, templates.", no_args_is_help=True)
RuleName = Annotated[str, typer.Argument(help="Name or number of the rule.")]
MOST_TOLD = 20


def span_of(text: str) -> timedelta:
    """`30d`, `12h` or `45m` as a timedelta. Raises InvalidInputError."""
    found = re.fullmatch(r"(\d+)([dhm])", text)
    if found is None or int(found[1]) == 0:
        raise InvalidInputError(f"--since {text!r} is no span of time; allowed: such as 30d, 12h, 45m", path="since")
    return int(found[1]) * {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}[found[2]]


@app.command()
def backtest(
    rule: RuleName,
    since: Annotated[str, typer.Option(help="How far back: 30d, 12h, 45m.")] = "30d",
    against: Annotated[Path | None, typer.Option(help="A YAML file whose rule of this name is tried instead, and compared.")] = None,
    factory: FactorySlug = "",
    home: Home = None,
) -> None:
    """What a rule would have raised over the recorded history."""
    from rich.console import Console
    from rich.progress import Progress

    from rules.as_code import read_rules
    from rules.keeping import FIELDS
    from rules.trial import rule_named, try_rule

    changed = None
    with opened(home) as installation:
        factory_id = factory_id_of(installation, factory)
        rule_id = rule_named(installation.db, factory_id, rule)
        if against is not None:
            documents = read_rules(against.read_text(encoding="utf-8"))
            wanted = next((one for one in documents if one["name"].casefold() == rule.casefold() or len(documents) == 1), None)
            if wanted is None:
                raise NotFoundError(f"{against} has no rule {rule!r}", noun="rule", key=rule)
            changed = {key: wanted[key] for key in FIELDS}
        now = installation.clock.now()
        with Progress(console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task("machines", total=None)
            trial = try_rule(
                installation.db,
                installation.lake,
                factory_id,
                rule_id,
                now - span_of(since),
                now,
                changed=changed,
                progress=lambda done, total: shown.update(task, completed=done, total=total),
            )
        print("\n".join(_told(trial, _device_keys(installation, factory_id))))


@app.command()
def lint(rule: RuleName, factory: FactorySlug = "", home: Home = None) -> None:
    """Warnings about a rule: what its author probably did not mean."""
    from rules.keeping import find_rule
    from rules.lint import lint as look_over
    from rules.trial import rule_named

    with opened(home) as installation:
        factory_id = factory_id_of(installation, factory)
        kept = find_rule(installation.db, factory_id, rule_named(installation.db, factory_id, rule))
        found = look_over(installation.db, installation.lake, factory_id, kept.rule, kept.device_ids, installation.clock.now())
    print("\n".join(f"{warned.kind}: {warned.message}" for warned in found) or "nothing to warn of")


@app.command("export")
def export_(
    out: Annotated[Path | None, typer.Option(help="File to write; default: the terminal.")] = None,
    factory: FactorySlug = "",
    home: Home = None,
) -> None:
    """All rules of a factory as YAML."""
    from rules.as_code import export_rules

    with opened(home) as installation:
        text = export_rules(installation.db, factory_id_of(installation, factory))
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file of `rules export` or `rules template`.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    factory: FactorySlug = "",
    home: Home = None,
) -> None:
    """Make and change rules as a YAML file says; rules that it does not name stay."""
    from rules.as_code import compare_rules, import_rules
    from warehouse.access.audit import Actor

    text = file.read_text(encoding="utf-8")
    with opened(home) as installation:
        factory_id = factory_id_of(installation, factory)
        if dry_run:
            changes = compare_rules(installation.db, factory_id, text)
        else:
            changes = import_rules(installation.db, installation.clock, Actor(factory_id), text)
    marks = {"new": "+", "changed": "~", "same": "=", "only here": "?"}
    for change in changes:
        print(f"{marks[change.kind]} {change.name} ({change.kind})")
        for difference in change.differences:
            print(f"    {difference}")


@app.command()
def template(name: Annotated[str, typer.Argument(help="Name of a template; without one all names.")] = "") -> None:
    """A ready-made rule as YAML, to be edited and imported."""
    from rules.as_code import template_yaml, templates

    if name:
        sys.stdout.write(template_yaml(name))
    else:
        print("\n".join(f"{key:26}{document['description']}" for key, document in templates().items()))


def _device_keys(installation: Any, factory_id: int) -> dict[int, str]:
    from sqlalchemy import select

    from warehouse.models.devices import Device
    from warehouse.tenancy import tenant_session

    with tenant_session(installation.db, factory_id) as session:
        return dict(session.execute(select(Device.id, Device.device_key)).all())


def _told(trial: Any, keys: dict[int, str]) -> Iterator[str]:
    from zoneinfo import ZoneInfo

    zone, found = ZoneInfo(trial.time_zone), trial.found
    share = 100 * found.share_firing
    yield f"{trial.rule.name}: {len(found.episodes)} alerts on {len(found.device_ids)} machines, {share:.2f} % of their time"
    yield f"{found.readings} readings from {found.since.astimezone(zone):%Y-%m-%d %H:%M} to {found.until.astimezone(zone):%Y-%m-%d %H:%M}"
    for episode in found.episodes[:MOST_TOLD]:
        end = "goes on" if episode.end is None else f"{episode.end.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        values = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in episode.values.items()
        )
        before = " (before the period)" if episode.start < found.since else ""
        start = f"{episode.start.astimezone(zone):%Y-%m-%d %H:%M:%S}{before}"
        yield f"  {keys.get(episode.device_id, episode.device_id)}  {start} - {end}  {values}"
    if len(found.episodes) > MOST_TOLD:
        yield f"  and {len(found.episodes) - MOST_TOLD} more"
    yield "alerts a day"
    yield from (f"  {day}  {count}" for day, count in found.per_day(zone).items())
    if trial.comparison is not None and trial.present is not None:
        both, new, old = trial.comparison.both, trial.comparison.only_new, trial.comparison.only_present
        yield f"present version: {len(trial.present.episodes)} alerts, {100 * trial.present.share_firing:.2f} % of the time"
        yield f"in both {both}, only in the new one {len(new)}, only in the present one {len(old)}"
