"""Answers are written in the thread that found them, as declared; what is sent is checked for texts that no database keeps."""

import inspect
import threading
from typing import get_args

import pytest
from fastapi import FastAPI, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.testclient import TestClient

from api.app import create_app
from api.routing import Router, answered
from api.schemas.common import Body, Schema
from tests.fixtures.two_plants import TwoPlants


class Small(Schema):
    name: str
    share: float | None


class Large(Small):
    secret: str


def small() -> Small:
    return Large(name="Ä", share=float("nan"), secret="kept")


async def later() -> Small:
    return small()


def own(response: Response) -> Small:
    response.headers["x-own"] = "1"
    return small()


def plain() -> Response:
    return Response(b"x")


def test_only_declared_fields_leave_and_what_is_no_number_is_null() -> None:
    assert answered(small, None)().body == '{"name":"Ä","share":null}'.encode()
    assert answered(small, 201)().status_code == 201


@pytest.mark.parametrize("endpoint", [later, own, plain])
def test_other_endpoints_stay_as_they_are(endpoint: object) -> None:
    assert answered(endpoint, None) is endpoint  # type: ignore[arg-type]  # each is a function


def test_the_document_still_knows_the_answer_and_one_thread_does_all() -> None:
    threads: list[str] = []
    router = Router()

    @router.get("/small", status_code=202)
    def get_small() -> Small:
        threads.append(threading.current_thread().name)
        return small()

    app = FastAPI()
    app.include_router(router)
    assert "Small" in app.openapi()["components"]["schemas"]
    answer = TestClient(app).get("/small")
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (202, {"name": "Ä", "share": None}, "application/json")
    assert len(threads) == 1


def test_every_body_of_ours_is_checked(seen_plants: TwoPlants) -> None:
    app = create_app(seen_plants.installation)
    sent = set()
    for route in iter_route_contexts(app.routes):
        endpoint = getattr(route, "endpoint", None)
        for parameter in inspect.signature(endpoint).parameters.values() if endpoint else ():
            kinds = (parameter.annotation, *get_args(parameter.annotation))
            sent |= {kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, BaseModel)}
    assert len(sent) > 25
    # Reports have models of their own, which the report itself shares.
    assert {kind.__name__ for kind in sent if issubclass(kind, Schema) and not issubclass(kind, Body)} == set()
