"""Messages of the caller's factory that were refused. Those whose topic names no factory are seen with `factoryops dead-letters`."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import HTTPException, Path, Query

from api.dependencies import Acting, Inst, PageOf, Who
from api.routing import Router
from api.schemas.common import Data, Page
from api.schemas.dead_letters import LetterChoice, LetterOut, LetterWithPayload, PurgeOut
from api.schemas.registration import ReplayOut
from ingest import replay
from ingest.reasons import REASONS
from warehouse import dead_letters
from warehouse.access.sessions import Identity
from warehouse.dead_letters import Choice
from warehouse.models.streams import DeadLetter

router = Router(prefix="/dead-letters", tags=["dead letters"])


@router.get("", operation_id="listDeadLetters")
def list_all(
    who: Who,
    inst: Inst,
    paging: PageOf,
    reason: Annotated[str, Query(max_length=50)] = "",
    device_key: Annotated[str, Query(max_length=255)] = "",
) -> Page[LetterOut]:
    """Letters that were not replayed, newest first."""
    choice = Choice(who.factory_id, reasons=[reason] if reason else (), device_key=device_key)
    rows = dead_letters.chosen(inst.db, choice, limit=paging.per_page, offset=paging.offset)
    total, _, _ = dead_letters.how_many(inst.db, choice)
    return Page(data=[LetterOut(**_fields(letter)) for letter in rows], total=total, page=paging.page, per_page=paging.per_page)


@router.get("/counts", operation_id="countDeadLetters")
def count(who: Who, inst: Inst, device_key: Annotated[str, Query(max_length=255)] = "") -> Data[dict[str, int]]:
    """How many there are by reason."""
    return Data(data=dead_letters.counts(inst.db, who.factory_id, device_key=device_key))


@router.get("/{letter_id}", operation_id="getDeadLetter")
def get_letter(letter_id: Annotated[int, Path(ge=1, le=2**31 - 1)], who: Who, inst: Inst) -> LetterWithPayload:
    """One letter with its payload, also when it was replayed."""
    letter = dead_letters.found(inst.db, who.factory_id, letter_id)
    is_cut = letter.payload_size > len(letter.payload)
    return LetterWithPayload(**_fields(letter), payload=dead_letters.text_of(letter), is_cut=is_cut)


@router.post("/replay", operation_id="replayDeadLetters")
def replay_letters(body: LetterChoice, who: Who, inst: Inst, actor: Acting) -> ReplayOut:
    """Takes letters in once more; those that are still refused stay."""
    retention = timedelta(days=inst.settings.raw_retention_days)
    done = replay.replay(inst.db, inst.clock, retention, _choice(who, body), actor)
    return ReplayOut(accepted=done.accepted, still_refused=dict(done.still_refused))


@router.post("/purge", operation_id="purgeDeadLetters")
def purge_letters(body: LetterChoice, who: Who, inst: Inst, actor: Acting) -> PurgeOut:
    """Deletes letters for good."""
    return PurgeOut(purged=dead_letters.purge(inst.db, _choice(who, body), inst.clock.now(), actor))


def _choice(who: Identity, body: LetterChoice) -> Choice:
    if not body.model_dump(exclude_none=True):
        raise HTTPException(422, "Say which letters: ids, reason or device_key.")
    return Choice(who.factory_id, body.ids or (), [body.reason] if body.reason else (), body.device_key or "")


def _fields(letter: DeadLetter) -> dict[str, Any]:
    # A reason of a later version has no sentence here yet.
    said = REASONS.get(letter.reason, letter.reason)
    return {name: getattr(letter, name) for name in LetterOut.model_fields if name != "said"} | {"said": said}
