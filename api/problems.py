"""Errors to answers, in one place and one shape (`api.schemas.problems.Problem`)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.conversation import REQUEST_ID, request_id_of
from api.schemas.problems import PlaceOfProblem, Problem
from warehouse.access.own_password import ResetRefusedError
from warehouse.access.people import InvitationRefusedError, NotAllowedError
from warehouse.access.sign_in import AddressPausedError, SignInRefusedError
from warehouse.errors import ConflictError, InvalidInputError, NotFoundError, RetryableError

MEDIA_TYPE: Final = "application/problem+json"
TRY_AGAIN_AFTER_S: Final = 5
log = structlog.get_logger()


def translate_errors(app: FastAPI) -> None:
    """Gives every error that may leave a route its answer."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(NotFoundError, _not_found)
    app.add_exception_handler(ConflictError, _conflict)
    app.add_exception_handler(InvalidInputError, _invalid)
    app.add_exception_handler(RetryableError, _try_again)
    app.add_exception_handler(NotAllowedError, _not_allowed)
    app.add_exception_handler(SignInRefusedError, _not_signed_in)
    app.add_exception_handler(AddressPausedError, _paused)
    for over in (InvitationRefusedError, ResetRefusedError):
        app.add_exception_handler(over, _over)
    app.add_exception_handler(Exception, _broken)


def problem(
    request: Request,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[PlaceOfProblem] | None = None,
) -> JSONResponse:
    """The answer for one problem."""
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_sayable(detail),
        instance=request.url.path,
        request_id=request_id_of(request.scope),
        errors=errors or [],
    )
    own = {"Cache-Control": "no-store", REQUEST_ID: body.request_id}
    return JSONResponse(body.model_dump(), status, {**own, **(headers or {})}, media_type=MEDIA_TYPE)


def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    return problem(request, error.status_code, str(error.detail), error.headers)


def _not_valid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    # What was sent is not repeated: it may be a password.
    places = [
        PlaceOfProblem(path=_sayable(".".join(map(str, found["loc"]))), message=_sayable(str(found["msg"]))) for found in error.errors()
    ]
    first = f"{places[0].path}: {places[0].message}" if places else "The request is not valid."
    return problem(request, 422, first, errors=places)


def _not_found(request: Request, error: Exception) -> JSONResponse:
    noun = str(getattr(error, "noun", "thing"))
    return problem(request, 404, f"{noun.capitalize()} not found")


def _conflict(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 409, str(error))


def _invalid(request: Request, error: Exception) -> JSONResponse:
    path = getattr(error, "path", "")
    places = [PlaceOfProblem(path=str(path), message=str(error))] if path else []
    return problem(request, 422, str(error), errors=places)


def _try_again(request: Request, error: Exception) -> JSONResponse:
    log.warning("api_try_again", problem=str(error))
    detail = "The history cannot be reached right now; try again in a moment."
    return problem(request, 503, detail, {"Retry-After": str(TRY_AGAIN_AFTER_S)})


def _not_allowed(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 403, str(error))


def _not_signed_in(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 401, str(error), {"WWW-Authenticate": "Bearer"})


def _paused(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 429, str(error), {"Retry-After": str(getattr(error, "retry_after_s", 60))})


def _over(request: Request, error: Exception) -> JSONResponse:
    return problem(request, 410, str(error))


def _broken(request: Request, error: Exception) -> JSONResponse:
    log.error("api_broken", path=request.url.path, request_id=request_id_of(request.scope), error=type(error).__name__)
    return problem(request, 500, "Something broke on our side; the log names it by the request id.")


def _sayable(text: str) -> str:
    """A text that UTF-8 can carry, whatever somebody named their fields."""
    return text.encode("utf-8", "backslashreplace").decode()
