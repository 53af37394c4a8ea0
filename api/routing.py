"""Routes whose answer is made where it was found: one thread from the question to the bytes.

FastAPI sends a plain function to a thread, its answer back, the answer's check to a thread, and the answer back again; under load each way
waits for its turn. Here the function's thread writes the JSON as well. What is not checked again is what the type checker has checked.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel


def answered(endpoint: Callable[..., Any], status_code: int | None) -> Callable[..., Any]:
    """The endpoint, answering in bytes what it is declared to answer; those that do not answer a model, or are async, as they are."""
    signature = inspect.signature(endpoint)
    declared = signature.return_annotation
    takes_response = any(parameter.annotation is Response for parameter in signature.parameters.values())
    if inspect.iscoroutinefunction(endpoint) or takes_response or not (inspect.isclass(declared) and issubclass(declared, BaseModel)):
        return endpoint

    @functools.wraps(endpoint)
    def in_bytes(**arguments: Any) -> Response:
        # By the declared model: of a narrower one only the declared fields leave.
        content = declared.__pydantic_serializer__.to_json(endpoint(**arguments))
        return Response(content, status_code or 200, media_type="application/json")

    return in_bytes


class OneThread(APIRoute):
    """A route as `answered` says."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, status_code: int | None = None, **options: Any) -> None:
        super().__init__(path, answered(endpoint, status_code), status_code=status_code, **options)


class Router(APIRouter):
    """A router of such routes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=OneThread, **options)
