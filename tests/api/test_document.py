"""The OpenAPI document: complete enough for a generated client, and true: what it does not name does not come."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from api.app import create_app
from tests.alert_work import add_alert_work
from tests.fixtures.two_plants import Plant, TwoPlants
from warehouse.access.keys import signing_key
from warehouse.access.sessions import check_session
from warehouse.access.tokens import make_access_token
from warehouse.clock import SystemClock
from warehouse.models.people import User
from warehouse.tenancy import system_session

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
LONGEST_S = 10
EXAMPLES = 2
"""Of each operation and mode; always the same ones."""
ELSEWHERE = {
    "streamEvents": "does not end; tests/api/test_work.py",
    "logout": "ends the sign-in that all others use; tests/api/test_access.py",
    "endSession": "as above",
    "previewReport": "draws a page, which takes seconds; tests/api/test_reports.py",
    "verifyReport": "loads 150 MB of PDF libraries; tests/api/test_reports.py",
    "signReport": "as above",
}


@pytest.fixture
def document(seen_plants: TwoPlants) -> dict[str, Any]:
    return create_app(seen_plants.installation).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_can_be_generated_into_a_client(document: dict[str, Any]) -> None:
    found = dict(operations(document))
    names = [operation["operationId"] for operation in found.values()]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() for name in names), names
    known = {tag["name"] for tag in document["tags"]}
    for name, operation in found.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= known, f"{name}: say in api/document.py what the tag {operation['tags']} is about"


def test_every_refusal_is_a_problem_in_the_document(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"429", "503"} <= set(refusals), name
        for status, answer in refusals.items():
            assert answer["description"], (name, status)
            assert list(answer["content"]) == ["application/problem+json"], (name, status)


def test_examples_of_bodies_are_right(document: dict[str, Any]) -> None:
    import jsonschema_rs

    found = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            found += 1
            whole = {**schema, "components": document["components"]}
            assert jsonschema_rs.is_valid(whole, example), (name, example)
    assert found >= 6


def ids_of(plants: TwoPlants, plant: Plant) -> dict[str, Any]:
    return {
        "device_id": plant.devices[plant.hot],
        "alert_id": plant.alerts[0],
        "rule_id": 1,
        "parameter_id": 1,
        **add_alert_work(plants, plant),
    }


def modes(operation: dict[str, Any]) -> list[GenerationMode]:
    """Where nothing can be sent, nothing wrong can be sent."""
    return list(GenerationMode) if operation.get("parameters") or operation.get("requestBody") else [GenerationMode.POSITIVE]


@pytest.mark.slow
def test_nothing_breaks_and_nothing_undocumented_is_answered(two_plants: TwoPlants) -> None:
    inst = two_plants.installation
    unlimited = inst.settings.model_copy(update={"api_requests_per_minute": 0, "sign_in_requests_per_minute": 0})
    app = create_app(replace(inst, settings=unlimited))
    with system_session(inst.db, "test", write=True) as session:
        session.get_one(User, two_plants.north.person.user_id).role = "super_admin"
    two_plants.clock.set(SystemClock().now())
    who = check_session(inst.db, inst.settings, inst.clock, two_plants.token(two_plants.north))
    assert who is not None
    headers = {"Authorization": f"Bearer {make_access_token(who, signing_key(inst.settings), inst.clock.now())}"}
    known, until = ids_of(two_plants, two_plants.north), time.monotonic() + LONGEST_S
    asked, answered = Counter[str](), Counter[int]()
    failures: list[str] = []
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.definition.raw["operationId"] in ELSEWHERE:
            continue
        for mode in modes(operation.definition.raw):

            @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, phases=[Phase.generate],
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @given(operation.as_strategy(generation_mode=mode))
            def check(case: schemathesis.Case) -> None:
                label = case.operation.label
                # On a slow machine each operation is asked once; more often while there is time.
                if asked[label] and time.monotonic() > until:
                    return
                asked[label] += 1
                if asked[label] % 2:
                    case.path_parameters = {name: known.get(name, value) for name, value in case.path_parameters.items()}
                answer = case.call(headers=headers)
                answered[answer.status_code] += 1
                try:
                    case.validate_response(answer, checks=CHECKS)
                except FailureGroup as group:
                    # Not raised: asked again, a thing that was changed meanwhile would answer otherwise.
                    failures.append(f"{label}: {[str(one) for one in group.exceptions]}\n{answer.status_code} {answer.text[:300]}")

            check()
    assert not failures, "\n\n".join(failures)
    assert len(asked) > 80
    # Signed in and allowed: they were not all turned away at the door.
    assert answered[200] + answered[201] > sum(answered.values()) / 5, answered
