"""Rules of the caller's factory. A rule of another factory does not exist here."""

from typing import Annotated

from fastapi import Depends, Path, Query

from api.dependencies import Acting, Inst, PageOf, Who, needs
from api.routing import Router
from api.schemas.common import Done, Page
from api.schemas.rules import RuleChange, RuleIn, RuleOut, RuleSaved, Scope
from rules.keeping import KeptRule, RuleFilter, add_rule, change_rule, delete_rule, find_rule, list_rules, toggle_rule
from rules.lint import saved_warnings

router = Router(prefix="/rules", tags=["rules"])
RuleId = Annotated[int, Path(ge=1, le=2**31 - 1)]
FOR_MAKERS = [Depends(needs("create_rules"))]


@router.get("", operation_id="listRules")
def list_all(
    who: Who,
    inst: Inst,
    paging: PageOf,
    device_id: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    is_active: bool | None = None,
    scope: Scope | None = None,
) -> Page[RuleOut]:
    """Rules by id; with `device_id` those that name this machine."""
    wanted = RuleFilter(device_id, is_active, scope)
    found, total = list_rules(inst.db, who.factory_id, wanted, limit=paging.per_page, offset=paging.offset)
    return Page(data=[_out(kept) for kept in found], total=total, page=paging.page, per_page=paging.per_page)


@router.post("", operation_id="createRule", status_code=201, dependencies=FOR_MAKERS)
def create_rule(body: RuleIn, inst: Inst, actor: Acting) -> RuleSaved:
    """Makes a rule; it is evaluated from the next second on."""
    return _saved(inst, actor.factory_id, add_rule(inst.db, inst.clock, actor, body.model_dump(exclude={"device_ids"}), body.device_ids))


@router.get("/{rule_id}", operation_id="getRule")
def get_rule(rule_id: RuleId, who: Who, inst: Inst) -> RuleOut:
    """One rule."""
    return _out(find_rule(inst.db, who.factory_id, rule_id))


@router.patch("/{rule_id}", operation_id="updateRule", dependencies=FOR_MAKERS)
def update_rule(rule_id: RuleId, body: RuleChange, inst: Inst, actor: Acting) -> RuleSaved:
    """Changes a rule; what is not given stays."""
    fields = body.model_dump(exclude={"device_ids"}, exclude_none=True)
    return _saved(inst, actor.factory_id, change_rule(inst.db, inst.clock, actor, rule_id, fields, body.device_ids))


@router.delete("/{rule_id}", operation_id="deleteRule", dependencies=FOR_MAKERS)
def remove_rule(rule_id: RuleId, inst: Inst, actor: Acting) -> Done:
    """Deletes a rule with the alerts that it raised; to keep these, switch it off instead."""
    delete_rule(inst.db, inst.clock, actor, rule_id)
    return Done(message="Rule deleted successfully")


@router.patch("/{rule_id}/toggle", operation_id="toggleRule", dependencies=FOR_MAKERS)
def switch_rule(rule_id: RuleId, inst: Inst, actor: Acting) -> RuleOut:
    """Switches a rule off when it is on, and on when it is off."""
    return _out(toggle_rule(inst.db, inst.clock, actor, rule_id))


def _out(kept: KeptRule) -> RuleOut:
    own = {name: getattr(kept.rule, name) for name in RuleOut.model_fields if name != "device_ids"}
    return RuleOut(**own, device_ids=kept.device_ids)


def _saved(inst: Inst, factory_id: int, kept: KeptRule) -> RuleSaved:
    warnings = saved_warnings(inst.db, inst.lake, factory_id, kept, inst.clock.now())
    return RuleSaved(**_out(kept).model_dump(), warnings=warnings)
