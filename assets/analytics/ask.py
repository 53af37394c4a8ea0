"""A question in plain words about one factory, answered only with what its data prove.

With a language model (LLM_BASE_URL, LLM_MODEL) the model looks through read-only tools and words the answer; sentences that their facts do
not prove are left out and said to be. Without one the findings of the last week that fit the question are the answer.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog

from assets.analytics import ask_model
from assets.analytics.ask_proof import Said, proven
from assets.analytics.ask_tools import Fact, Tools, clean
from assets.analytics.contract import Inputs
from assets.analytics.copilot_data import device_rows, gather
from assets.analytics.copilot_findings import findings
from assets.analytics.copilot_words import Clock, Finding, counted
from warehouse.access.audit import Actor, append
from warehouse.errors import FactoryOpsError, InvalidInputError, RetryableError
from warehouse.factories import factory_zones
from warehouse.installation import Installation
from warehouse.tenancy import tenant_session

LONGEST_QUESTION: Final = 500
MOST_AT_ONCE: Final = 2
LOOKS_BACK: Final = timedelta(days=7)
MOST_FINDINGS: Final = 6
NOT_ANSWERED: Final = "I cannot answer this from the data of this factory."
TOPICS: Final = {
    "waste": ("energy", "energie", "kwh", "power", "idle", "waste", "cost", "consum", "strom", "điện", "năng lượng"),
    "forecast": ("forecast", "expect", "next week", "tomorrow", "prognos", "dự báo"),
    "together": ("alert", "alarm", "belong", "together", "cause", "cảnh báo"),
    "changed": ("chang", "differ", "drift", "trend", "änder", "verändert", "thay đổi"),
    "downtime": ("downtime", "stood", "stop", "fault", "availab", "stillstand", "störung", "dừng"),
    "attention": ("attention", "worst", "fail", "risk", "health", "problem", "wrong", "look at", "first", "anomal", "ausfall", "hỏng"),
}
"""Words that ask for a kind of finding, when no language model is there to understand the question."""
_places = threading.BoundedSemaphore(MOST_AT_ONCE)
log = structlog.get_logger()


@dataclass(frozen=True)
class Source:
    """A fact that an answer rests on, and where it can be seen."""

    id: str
    words: str
    path: str
    row: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What can be said, sentence by sentence."""

    sentences: list[Said]
    sources: list[Source] = field(default_factory=list)
    note: str = ""
    """What the reader should know: left-out sentences, a model that is away, or that there is none."""
    model: str = ""
    """Which language model worded it; empty without one."""

    @property
    def is_answered(self) -> bool:
        """False for a refusal."""
        return bool(self.sources)


def ask(installation: Installation, actor: Actor, question: str) -> Answer:
    """The answer; the question is noted in the audit trail.

    Raises InvalidInputError for an empty or endless question, RetryableError while too many are being answered or the lake is away.
    """
    asked = clean(question, LONGEST_QUESTION + 1)
    if not asked:
        raise InvalidInputError("ask something", path="question")
    if len(asked) > LONGEST_QUESTION:
        raise InvalidInputError(f"a question has at most {LONGEST_QUESTION} letters", path="question")
    if not _places.acquire(blocking=False):
        raise RetryableError(f"{MOST_AT_ONCE} questions are being answered already; try again in a moment")
    try:
        found = _by_model(installation, actor.factory_id, asked) if ask_model.is_configured(installation.settings) else None
        found = found or _by_findings(
            installation, actor.factory_id, asked, "No language model is set up: these are findings that fit the words."
        )
    finally:
        _places.release()
    _note(installation, actor, asked, found)
    return found


def _by_model(installation: Installation, factory_id: int, question: str) -> Answer | None:
    """The model's answer as far as it is proven; the findings when the model is away."""
    settings, tools = installation.settings, Tools(installation, factory_id)
    now = Clock(factory_zones(installation.db)[factory_id][1]).at(installation.clock.now())
    try:
        said = ask_model.converse(settings, tools, question, now)
    except (ask_model.ModelAwayError, ask_model.ModelRefusedError) as away:
        return _by_findings(installation, factory_id, question, f"{away.message[:1].upper()}{away.message[1:]}. Without it:")
    kept, dropped = proven(said.answer, tools.facts)
    log.info("question_answered", rounds=said.rounds, tokens=said.tokens, kept=len(kept), dropped=len(dropped), tools=tools.used)
    left_out = f"{counted(len(dropped), 'sentence')} of the model that the data do not prove left out." if kept and dropped else ""
    if not kept:
        return Answer([Said(NOT_ANSWERED, ())], [], "The model said nothing that its facts prove.", settings.llm_model)
    return Answer(kept, [_source(tools.facts[one]) for one in _cited(kept)], left_out, settings.llm_model)


def _cited(said: Iterable[Said]) -> list[str]:
    return list(dict.fromkeys(one for each in said for one in each.facts))


def _source(fact: Fact) -> Source:
    words, path = fact.link
    return Source(fact.id, words, path, fact.row)


def _by_findings(installation: Installation, factory_id: int, question: str, note: str) -> Answer:
    """The findings of the last week that fit the question's machines and words."""
    now = installation.clock.now()
    machines = device_rows(installation, factory_id)
    if not machines:
        return Answer([Said(NOT_ANSWERED, ())], [], f"{note} This factory has no machines yet.")
    inputs = Inputs(installation, factory_id, [machine.id for machine in machines], now - LOOKS_BACK, now)
    try:
        found = findings(gather(inputs, lambda _percent, _stage: None))
    except RetryableError:
        raise
    except FactoryOpsError as problem:
        return Answer([Said(NOT_ANSWERED, ())], [], f"{note} {problem.message}.")
    named = {m.device_key for m in machines if m.device_key.lower() in question.lower() or (m.name and m.name.lower() in question.lower())}
    chosen = fitting(found, question, named)
    if not chosen:
        return Answer([Said(NOT_ANSWERED, ())], [], f"{note} Nothing that stands out in the last 7 days fits the question.")
    sources = [Source(f"F{n}", *finding.links[0], dict(finding.facts)) for n, finding in enumerate(chosen, 1)]
    return Answer([Said(finding.sentence, (f"F{n}",)) for n, finding in enumerate(chosen, 1)], sources, note)


def fitting(found: list[Finding], question: str, named: set[str]) -> list[Finding]:
    """Findings of the machines that the question names and the topics that its words ask for; all when it asks for neither; pure."""
    low = question.lower()
    topics = {topic for topic, words in TOPICS.items() if any(word in low for word in words)}
    own = [finding for finding in found if named & set(finding.machines)] if named else found
    return [finding for finding in own if not topics or finding.kind in topics | {"calm"}][:MOST_FINDINGS]


def _note(installation: Installation, actor: Actor, question: str, answer: Answer) -> None:
    facts = {"question": question, "answered": answer.is_answered, "model": answer.model, "sources": len(answer.sources)}
    with tenant_session(installation.db, actor.factory_id, write=True) as session:
        append(session, "analysis.ask", f"factory:{actor.factory_id}", installation.clock.now(), actor, after=facts)
