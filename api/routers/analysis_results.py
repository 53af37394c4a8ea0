"""What analyses found about the caller's factory, and questions in plain words."""

import json
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, Query

from api.dependencies import Acting, Inst, Who, needs
from api.routing import Router
from api.schemas.analytics import Anomaly, AnswerOut, Expected, Question, Risk, Sentence, SourceOut
from api.schemas.common import Data, MomentIn
from warehouse.errors import InvalidInputError
from warehouse.installation import Installation
from warehouse.queries import analytics
from warehouse.queries.live import find_device

router = Router(prefix="/analytics", tags=["analytics"])
LONGEST = timedelta(days=366)
NEWEST_WITHIN = timedelta(days=31)
DeviceId = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


@router.get("/anomalies", operation_id="listAnomalies")
def anomalies(
    who: Who,
    inst: Inst,
    start: Annotated[MomentIn | None, Query(description="default: seven days before the end")] = None,
    end: Annotated[MomentIn | None, Query(description="default: now")] = None,
    device_id: DeviceId = None,
) -> Data[list[Anomaly]]:
    """Anomalies that touch [start, end), newest first; at most 500."""
    until = end or inst.clock.now()
    since = start or until - timedelta(days=7)
    if since >= until or until - since > LONGEST:
        raise InvalidInputError(f"the range must end after it starts, and be at most {LONGEST.days} days", path="end")
    found = analytics.anomalies(inst.lake, who.factory_id, since, until, _only(inst, who.factory_id, device_id))
    return Data(data=[Anomaly.model_validate(row | {"contributions": _json(row["contributions"])}) for row in found.iter_rows(named=True)])


@router.get("/failure-risks", operation_id="listFailureRisks")
def failure_risks(who: Who, inst: Inst, device_id: DeviceId = None) -> Data[list[Risk]]:
    """The newest risk of each machine and horizon, the most probable first."""
    since = inst.clock.now() - NEWEST_WITHIN
    found = analytics.latest_risks(inst.lake, who.factory_id, since, _only(inst, who.factory_id, device_id))
    return Data(data=[Risk.model_validate(row | {"reasons": _json(row["reasons"])}) for row in found.iter_rows(named=True)])


@router.get("/energy-forecast", operation_id="getEnergyForecast")
def energy_forecast(who: Who, inst: Inst, device_id: DeviceId = None) -> Data[list[Expected]]:
    """The newest forecast of the factory, or of one machine, by time; empty while there is none."""
    _only(inst, who.factory_id, device_id)
    found = analytics.latest_forecast(inst.lake, who.factory_id, inst.clock.now(), device_id)
    return Data(data=[Expected.model_validate({name: row[name] for name in Expected.model_fields}) for row in found.iter_rows(named=True)])


@router.post("/ask", operation_id="askAnalytics", dependencies=[Depends(needs("run_analytics"))])
def ask_question(body: Question, actor: Acting, inst: Inst) -> Data[AnswerOut]:
    """What the factory's data say to a question, each sentence with its sources. May take a minute with a language model."""
    # Reads through half of the queries there are, which most requests need not import.
    from assets.analytics.ask import ask  # noqa: PLC0415  # as said above

    found = ask(inst, actor, body.question)
    sentences = [Sentence(text=said.text, sources=list(said.facts)) for said in found.sentences]
    sources = [SourceOut(id=one.id, words=one.words, path=one.path, facts=one.row) for one in found.sources]
    return Data(data=AnswerOut(sentences=sentences, sources=sources, note=found.note, model=found.model))


def _only(inst: Installation, factory_id: int, device_id: int | None) -> list[int] | None:
    return None if device_id is None else [find_device(inst.db, factory_id, device_id=device_id).id]


def _json(text: str | None) -> Any:
    return json.loads(text) if text else None
