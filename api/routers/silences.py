"""Silences and maintenance windows of the caller's factory."""

from typing import Annotated

from fastapi import Path, Response

from api.dependencies import Inst, Who, Worker
from api.routing import Router
from api.schemas.common import Data
from api.schemas.silences import SilenceEnd, SilenceIn, SilenceOut
from rules.silences import NewSilence, change_end, change_silence, end_silence, find_silence, list_silences, silence
from warehouse.installation import Installation
from warehouse.models.alerting import Silence

router = Router(prefix="/silences", tags=["alerts"])
SilenceId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.get("", operation_id="listSilences")
def list_all(who: Who, inst: Inst, past: bool = False) -> Data[list[SilenceOut]]:
    """The silences that hold or are to come; with `past=true` also those that are over."""
    return Data(data=[_out(row) for row in list_silences(inst.db, who.factory_id, inst.clock.now(), with_past=past)])


@router.get("/{silence_id}", operation_id="getSilence")
def get_silence(silence_id: SilenceId, who: Who, inst: Inst) -> SilenceOut:
    """One silence."""
    return _out(find_silence(inst.db, who.factory_id, silence_id))


@router.post("", operation_id="createSilence", status_code=201)
def create_silence(who: Worker, inst: Inst, body: SilenceIn) -> SilenceOut:
    """Alerts that it covers are recorded as silenced: nobody is told, reminded or escalated to until it is over."""
    return _out(silence(inst.db, inst.clock, who.factory_id, _asked(inst, body), user_id=who.user_id))


@router.patch("/{silence_id}", operation_id="changeSilence")
def move_end(silence_id: SilenceId, who: Worker, inst: Inst, body: SilenceEnd) -> SilenceOut:
    """Moves the end of a silence."""
    return _out(change_end(inst.db, inst.clock, who.factory_id, silence_id, body.ends_at, user_id=who.user_id))


@router.put("/{silence_id}", operation_id="replaceSilence")
def replace_silence(silence_id: SilenceId, who: Worker, inst: Inst, body: SilenceIn) -> SilenceOut:
    """Gives a silence that is not over a new form. What it held back and does not cover any more is told now."""
    return _out(change_silence(inst.db, inst.clock, who.factory_id, silence_id, _asked(inst, body), user_id=who.user_id))


@router.delete("/{silence_id}", operation_id="endSilence", status_code=204)
def delete_silence(silence_id: SilenceId, who: Worker, inst: Inst) -> Response:
    """Ends it now: people are told of the alerts that it held back and that still stand."""
    end_silence(inst.db, inst.clock, who.factory_id, silence_id, user_id=who.user_id)
    return Response(status_code=204)


def _asked(inst: Installation, body: SilenceIn) -> NewSilence:
    return NewSilence(**body.model_dump(exclude={"starts_at"}), starts_at=body.starts_at or inst.clock.now())


def _out(row: Silence) -> SilenceOut:
    return SilenceOut(**{name: getattr(row, name) for name in SilenceOut.model_fields})
