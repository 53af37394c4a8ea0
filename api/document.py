"""The OpenAPI document: what FastAPI knows, and the answers that all routes share, so that a generated client knows them too."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.schemas.problems import PlaceOfProblem, Problem

DESCRIPTION: Final = """Everything that FactoryOps knows of a factory, for other systems and for scripts.

Sign in with `POST /v1/auth/login` and send `Authorization: Bearer <access_token>`; a program sends an API key instead. All answers
are of the factory signed in to; what another factory has does not exist here (404).

* Moments are RFC 3339 in UTC (`2026-02-19T10:30:00Z`); what you send may have any offset, but must have one.
* Lists are paged with `page` (from 1) and `per_page` (at most 100), and answer `data`, `total`, `page`, `per_page`; their order is stable.
* Refusals are `application/problem+json` with `detail`, and `errors` that name what to correct.
* Send `X-Request-ID` to find a request in our logs; without one we make it. It comes back in the answer.
* Reads answer with an `ETag`; send it as `If-None-Match` and an unchanged answer is an empty 304.
* Requests that start work take an `Idempotency-Key`: sent again within a day with the same key, the work is not started twice.
"""
_TAGS: Final = {
    "auth": "Signing in.",
    "factories": "Which factories there are.",
    "devices": "Machines, their parameters, live values and history.",
    "telemetry": "Readings in bulk, and values as they come.",
    "figures": "Energy, states, effectiveness, recorded maintenance and health.",
    "rules": "When to raise an alert: rules, trials on the past, and what looks wrong in them.",
    "alerts": "What rules raised, and what people did about it.",
    "notifications": "Whom to tell, how, and what could not be delivered.",
    "analytics": "Analyses that people order.",
    "reports": "Signed reports, and when they are made.",
    "users": "People and what they may do.",
    "dashboard": "The factory at a glance.",
    "dead letters": "What machines sent that could not be taken.",
    "mqtt": "What a broker asks: who may sign in, and what a connection may do.",
    "audit": "Who changed what, when.",
    "sessions": "One's own sign-ins.",
    "second factor": "One's authenticator app.",
    "API keys": "Keys with which programs work.",
}
_WORDS: Final = {
    "400": "The request cannot be read at all.",
    "401": "Not signed in, or the sign-in has ended.",
    "403": "Signed in, but not allowed to do this.",
    "404": "There is no such thing in this factory.",
    "409": "Not in the state that the thing is in now.",
    "410": "The link was used, was withdrawn or is too old.",
    "413": "The body is too large.",
    "422": "Something in the request has to be corrected; `errors` says what.",
    "429": "Too many requests; Retry-After says when to go on.",
    "503": "A storage is away for the moment; Retry-After says when to try again.",
}
_WAITING: Final = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


class DocumentedApi(FastAPI):
    """FastAPI whose document names every answer that may come."""

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if not self.openapi_schema:
            found = get_openapi(
                title=self.title, version=self.version, description=DESCRIPTION, routes=self.routes, servers=self.servers or None,
                tags=[{"name": name, "description": words} for name, words in _TAGS.items()],
            )  # fmt: skip
            for methods in found["paths"].values():
                for method, operation in methods.items():
                    _complete(method, operation)
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for model in (PlaceOfProblem, Problem):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schema.pop("$defs", None)
                schemas[model.__name__] = schema
            self.openapi_schema = found
        return self.openapi_schema


def _complete(method: str, operation: dict[str, Any]) -> None:
    """Adds the refusals that an operation may answer with, and 304 for what has an ETag."""
    answers = operation["responses"]
    answers.pop("422", None)
    declared = {status for status in answers if status >= "400"}
    for status in sorted(declared | _possible(operation)):
        own_words = answers.get(status, {}).get("description", "")
        answers[status] = {
            "description": own_words or _WORDS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        } | ({"headers": _WAITING} if status in {"429", "503"} else {})
    if method == "get" and "application/json" in answers.get("200", {}).get("content", {}):
        answers["304"] = {"description": "Unchanged since the answer whose ETag was sent as If-None-Match."}


def _possible(operation: dict[str, Any]) -> set[str]:
    parameters, has_body = operation.get("parameters", []), "requestBody" in operation
    found = {"429", "503"}
    if operation.get("security"):
        found |= {"401", "403"}
    if has_body or parameters:
        found |= {"400", "422"}
    if has_body or any(one["in"] == "path" for one in parameters):
        found.add("404")
    if has_body:
        found.add("413")
    return found
