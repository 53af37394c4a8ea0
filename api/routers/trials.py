"""Rules of the caller's factory tried on the past, and looked over for what their author probably did not mean."""

from zoneinfo import ZoneInfo

from api.dependencies import Inst, Who
from api.routers.rules import RuleId
from api.routing import Router
from api.schemas.common import Data
from api.schemas.rules import RuleIn
from api.schemas.trials import BacktestIn, BacktestOut, EpisodeOut, TrialOut, WarningOut
from rules.backtest import Backtest
from rules.keeping import find_rule
from rules.lint import Warned, lint
from rules.trial import try_rule
from warehouse.models.alerting import Rule

router = Router(prefix="/rules", tags=["rules"])
MOST_EPISODES = 500


@router.post("/lint", operation_id="lintNewRule")
def lint_new_rule(body: RuleIn, who: Who, inst: Inst) -> Data[list[WarningOut]]:
    """What looks wrong in a rule before it is saved: unknown parameters, limits that are never or always crossed, units, overlaps."""
    row = Rule(factory_id=who.factory_id, **body.model_dump(exclude={"device_ids"}))
    return Data(data=_warnings(lint(inst.db, inst.lake, who.factory_id, row, body.device_ids, inst.clock.now())))


@router.get("/{rule_id}/lint", operation_id="lintRule")
def lint_rule(rule_id: RuleId, who: Who, inst: Inst) -> Data[list[WarningOut]]:
    """What looks wrong in a rule."""
    kept = find_rule(inst.db, who.factory_id, rule_id)
    return Data(data=_warnings(lint(inst.db, inst.lake, who.factory_id, kept.rule, kept.device_ids, inst.clock.now())))


@router.post("/{rule_id}/backtest", operation_id="backtestRule")
def backtest_rule(rule_id: RuleId, body: BacktestIn, who: Who, inst: Inst) -> TrialOut:
    """What the rule would have raised over the recorded past; with `changed` also how a changed version would differ. Nothing is raised."""
    changed = body.changed.model_dump(exclude={"device_ids"}, exclude_none=True) if body.changed else None
    trial = try_rule(inst.db, inst.lake, who.factory_id, rule_id, body.since, body.until, changed=changed)
    compared, zone = trial.comparison, ZoneInfo(trial.time_zone)
    return TrialOut(
        tried=_out(trial.found, zone),
        present=_out(trial.present, zone) if trial.present else None,
        only_tried=len(compared.only_new) if compared else None,
        only_present=len(compared.only_present) if compared else None,
        both=compared.both if compared else None,
    )


def _out(found: Backtest, zone: ZoneInfo) -> BacktestOut:
    shown = [
        EpisodeOut(device_id=one.device_id, start=one.start, end=one.end, values=dict(one.values), repeats=one.repeats)
        for one in found.episodes[:MOST_EPISODES]
    ]
    return BacktestOut(
        since=found.since,
        until=found.until,
        device_ids=list(found.device_ids),
        alerts=len(found.episodes),
        per_day=found.per_day(zone),
        share_firing=found.share_firing,
        readings=found.readings,
        episodes=shown,
    )


def _warnings(found: list[Warned]) -> list[WarningOut]:
    return [WarningOut(kind=one.kind, parameter=one.parameter, message=one.message) for one in found]
