"""Preferences of the caller; escalation chains, webhooks and undelivered messages of their factory."""

from typing import Annotated

from fastapi import Depends, HTTPException, Path, Response

from api.dependencies import Inst, PageOf, Who, Worker, worker
from api.routing import Router
from api.schemas.common import Data, Page
from api.schemas.notifications import ChainIn, ChainOut, NewWebhook, Preference, Step, Undelivered, WebhookIn, WebhookOut, WebhookPatch
from rules.notify import undelivered as dead
from rules.notify.wishes import (
    ChainRow,
    ChainStep,
    NewChain,
    WebhookChange,
    Wish,
    add_webhook,
    chains_of,
    change_webhook,
    delete_chain,
    delete_webhook,
    find_chain,
    save_chain,
    set_wish,
    webhooks_of,
    wishes_of,
)
from warehouse.access.sessions import Identity
from warehouse.models.notifying import Webhook

router = Router(tags=["notifications"])
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


def organiser(who: Annotated[Identity, Depends(worker)]) -> Identity:
    """Somebody who may say whom alerts reach: those who make the rules. 403 for others."""
    if not who.may("create_rules"):
        raise HTTPException(403, "You need the permission to create rules.")
    return who


Organiser = Annotated[Identity, Depends(organiser)]


@router.get("/notification-preferences", operation_id="getNotificationPreferences")
def get_preferences(who: Who, inst: Inst) -> Data[list[Preference]]:
    """How the caller wants to hear, for each channel."""
    return Data(data=[_preference(wish) for wish in wishes_of(inst.db, who.factory_id, who.user_id)])


@router.put("/notification-preferences", operation_id="setNotificationPreference")
def set_preference(who: Who, inst: Inst, body: Preference) -> Data[list[Preference]]:
    """Stores how the caller wants to hear on one channel. Escalations and reminders come in any case: they are a duty."""
    set_wish(inst.db, inst.clock, who.factory_id, who.user_id, Wish(**body.model_dump()))
    return get_preferences(who, inst)


@router.get("/escalation-chains", operation_id="listEscalationChains")
def list_chains(who: Who, inst: Inst) -> Data[list[ChainOut]]:
    """Who is told next while nobody acknowledges an alert."""
    return Data(data=[_chain(row) for row in chains_of(inst.db, who.factory_id)])


@router.get("/escalation-chains/{chain_id}", operation_id="getEscalationChain")
def get_chain(chain_id: Id, who: Who, inst: Inst) -> ChainOut:
    """One chain."""
    return _chain(find_chain(inst.db, who.factory_id, chain_id))


@router.post("/escalation-chains", operation_id="createEscalationChain", status_code=201)
def create_chain(who: Organiser, inst: Inst, body: ChainIn) -> ChainOut:
    """Makes a chain."""
    return _chain(save_chain(inst.db, inst.clock, who.factory_id, _asked(body), user_id=who.user_id))


@router.put("/escalation-chains/{chain_id}", operation_id="changeEscalationChain")
def change_chain(chain_id: Id, who: Organiser, inst: Inst, body: ChainIn) -> ChainOut:
    """Gives a chain a new form."""
    return _chain(save_chain(inst.db, inst.clock, who.factory_id, _asked(body), user_id=who.user_id, chain_id=chain_id))


@router.delete("/escalation-chains/{chain_id}", operation_id="deleteEscalationChain", status_code=204)
def remove_chain(chain_id: Id, who: Organiser, inst: Inst) -> Response:
    """Deletes a chain; alerts that stand in it are not escalated any further."""
    delete_chain(inst.db, inst.clock, who.factory_id, chain_id, user_id=who.user_id)
    return Response(status_code=204)


@router.get("/webhooks", operation_id="listWebhooks")
def list_webhooks(who: Worker, inst: Inst) -> Data[list[WebhookOut]]:
    """Other systems that are told of alerts."""
    return Data(data=[WebhookOut(**_webhook(row)) for row in webhooks_of(inst.db, who.factory_id)])


@router.post("/webhooks", operation_id="createWebhook", status_code=201)
def create_webhook(who: Organiser, inst: Inst, body: WebhookIn) -> NewWebhook:
    """Makes a webhook and shows its secret, this once. Requests are signed as standardwebhooks.com says."""
    row = add_webhook(inst.db, inst.clock, who.factory_id, body.name, body.url, body.least_severity, user_id=who.user_id)
    return NewWebhook(**_webhook(row), secret=row.secret)


@router.patch("/webhooks/{webhook_id}", operation_id="changeWebhook")
def update_webhook(webhook_id: Id, who: Organiser, inst: Inst, body: WebhookPatch) -> WebhookOut:
    """Changes a webhook, or switches it off and on; its secret stays. What is not given stays."""
    asked = WebhookChange(**body.model_dump())
    return WebhookOut(**_webhook(change_webhook(inst.db, inst.clock, who.factory_id, webhook_id, asked, user_id=who.user_id)))


@router.delete("/webhooks/{webhook_id}", operation_id="deleteWebhook", status_code=204)
def remove_webhook(webhook_id: Id, who: Organiser, inst: Inst) -> Response:
    """Deletes a webhook with the messages that wait for it."""
    delete_webhook(inst.db, inst.clock, who.factory_id, webhook_id, user_id=who.user_id)
    return Response(status_code=204)


@router.get("/outbox/undelivered", operation_id="listUndelivered")
def list_undelivered(who: Worker, inst: Inst, paging: PageOf) -> Page[Undelivered]:
    """Messages that were given up or skipped, with the reason, the newest first."""
    rows = dead.undelivered(inst.db, who.factory_id, limit=paging.per_page, offset=paging.offset)
    found = [Undelivered(**{name: getattr(row, name) for name in Undelivered.model_fields}) for row in rows]
    return Page(data=found, total=dead.count_undelivered(inst.db, who.factory_id), page=paging.page, per_page=paging.per_page)


@router.post("/outbox/{message_id}/resend", operation_id="resendMessage", status_code=202)
def resend_message(message_id: Id, who: Worker, inst: Inst) -> dict[str, str]:
    """Puts a message that was given up back into the outbox, with all its tries."""
    dead.resend(inst.db, inst.clock, who.factory_id, message_id, user_id=who.user_id)
    return {"status": "pending"}


def _preference(wish: Wish) -> Preference:
    return Preference.model_validate({name: getattr(wish, name) for name in Preference.model_fields})


def _asked(body: ChainIn) -> NewChain:
    steps = [ChainStep(step.after_minutes, step.user_id) for step in body.steps]
    return NewChain(**body.model_dump(exclude={"steps"}), steps=steps)


def _chain(row: ChainRow) -> ChainOut:
    steps = [Step(after_minutes=step.after_minutes, user_id=step.user_id) for step in row.steps]
    columns = {name: getattr(row.chain, name) for name in ChainOut.model_fields if name != "steps"}
    return ChainOut(**columns, steps=steps)


def _webhook(row: Webhook) -> dict[str, object]:
    return {name: getattr(row, name) for name in WebhookOut.model_fields}
