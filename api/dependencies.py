"""Who asks, and what a route works with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from fastapi import Depends, Header, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.origin import address_of, know_who
from warehouse.access import api_keys
from warehouse.access.audit import Actor
from warehouse.access.keys import accepted_keys
from warehouse.access.remembered import RememberedIdentities
from warehouse.access.sessions import Identity, check_session, check_session_id
from warehouse.access.tokens import TokenRefusedError, read_access_token
from warehouse.installation import Installation
from warehouse.models.people import PERMISSIONS

SESSION_COOKIE: Final = "factoryops_session"
_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_bearer = HTTPBearer(auto_error=False, description="The access token of POST /v1/auth/login, or an API key (`fok_...`).")


# What follows does no work and is async for that: FastAPI would send each plain function to a thread, which costs more than it does.
async def installation(request: Request) -> Installation:
    """The installation behind this application."""
    found = request.app.state.installation
    if not isinstance(found, Installation):
        message = "create_app() sets the installation"
        raise TypeError(message)
    return found


Inst = Annotated[Installation, Depends(installation)]


async def _identified(
    request: Request, inst: Inst, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    remembered: RememberedIdentities = request.app.state.remembered
    secret, by = (credentials.credentials, _by_token) if credentials else (_cookie_of(request), _by_cookie)
    # One kind of secret never stands for the other.
    name = f"{by.__name__} {secret}"
    identity = remembered.found(name) if secret else None
    if identity is None and secret:
        identity = await run_in_threadpool(remembered.look_up, name, partial(by, inst, secret))
    if identity is None:
        raise HTTPException(401, "Sign in first.", {"WWW-Authenticate": "Bearer"})
    return identity


async def current_identity(request: Request, identity: Annotated[Identity, Depends(_identified)]) -> Identity:
    """Who asks: by access token, by API key, or by the cookie of the dashboards. 401 for everybody else.

    Async, so that what it notes for logs and audit trail reaches the route: a thread would note it in a copy of the context.
    """
    know_who(request, identity)
    if identity.api_key_id is not None and not identity.may_work and request.method in _CHANGES:
        raise HTTPException(403, "This key only allows to look.")
    return identity


Who = Annotated[Identity, Depends(current_identity)]


async def person(who: Who) -> Identity:
    """Somebody who signed in. 403 for API keys: a program that was given a key must not make itself another, or change the password."""
    if who.api_key_id is not None:
        raise HTTPException(403, "An API key may not do this; sign in.")
    return who


Person = Annotated[Identity, Depends(person)]


async def worker(who: Who) -> Identity:
    """Somebody who may change things. 403 for a viewer, who only looks."""
    if not who.may_work:
        raise HTTPException(403, "Your role only allows to look.")
    return who


Worker = Annotated[Identity, Depends(worker)]


async def acting(who: Worker, request: Request) -> Actor:
    """Somebody who may change things, as the audit trail names them."""
    return Actor(who.factory_id, who.user_id, address_of(request))


Acting = Annotated[Actor, Depends(acting)]


def needs(permission: str) -> Callable[[Identity], Awaitable[Identity]]:
    """A dependency that lets only people with this permission through. 403 for others, and for those who only look."""
    if permission not in PERMISSIONS:
        message = f"there is no permission {permission}"
        raise ValueError(message)

    async def check(who: Worker) -> Identity:
        if not who.may(permission):
            raise HTTPException(403, f"You need the permission {permission}.")
        return who

    # By this name a test lists what each route asks for.
    check.__name__ = f"needs_{permission}"
    return check


Reporter = Annotated[Identity, Depends(needs("generate_reports"))]
Analyst = Annotated[Identity, Depends(needs("run_analytics"))]


async def super_admin(who: Who) -> Identity:
    """Somebody who runs the factory's accounts. 403 for others."""
    if who.role != "super_admin":
        raise HTTPException(403, "Only a super admin may do this.")
    return who


SuperAdmin = Annotated[Identity, Depends(super_admin)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="A name of your own for this request; sent again with it, the work is not started twice.",
    ),
]


def still_allowed(inst: Installation, who: Identity) -> bool:
    """Whether a sign-in is still open, without keeping it awake: for answers that go on for minutes."""
    if who.api_key_id is not None:
        return api_keys.is_alive(inst.db, inst.clock, who.factory_id, who.api_key_id)
    return check_session_id(inst.db, inst.settings, inst.clock, who.session_id, is_use=False) is not None


def _by_token(inst: Installation, token: str) -> Identity | None:
    if token.startswith(api_keys.START):
        return api_keys.check_key(inst.db, inst.clock, token)
    try:
        claims = read_access_token(token, *accepted_keys(inst.settings))
    except TokenRefusedError:
        return None
    return check_session_id(inst.db, inst.settings, inst.clock, claims.session_id)


def _cookie_of(request: Request) -> str:
    token = request.cookies.get(SESSION_COOKIE, "")
    # Another site can make a browser send the cookie, but not pretend to be us.
    if token and request.method in _CHANGES and not _is_from_our_pages(request):
        raise HTTPException(403, "Changes with a cookie must come from FactoryOps itself; programs use an access token.")
    return token


def _by_cookie(inst: Installation, token: str) -> Identity | None:
    return check_session(inst.db, inst.settings, inst.clock, token)


def _is_from_our_pages(request: Request) -> bool:
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] == request.headers.get("host")


@dataclass(frozen=True)
class Paging:
    """Which page of a list: `page` from 1, `per_page` at most 100."""

    page: int
    per_page: int

    @property
    def offset(self) -> int:
        """How many rows come before."""
        return (self.page - 1) * self.per_page


async def paging(page: Annotated[int, Query(ge=1, le=1_000_000)] = 1, per_page: Annotated[int, Query(ge=1, le=100)] = 20) -> Paging:
    """Which page is asked for."""
    return Paging(page, per_page)


PageOf = Annotated[Paging, Depends(paging)]
