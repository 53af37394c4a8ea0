"""Signing in and out: plain HTML and plain POSTs, outside Streamlit, so that they work before anything else does."""

import string
from collections.abc import Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from dashboards.assets import STATIC
from factoryops.guard import COOKIE, SIGN_IN, SessionCache, is_same_origin, safe_next, token_of
from warehouse.access.sessions import revoke_session, session_id_of
from warehouse.access.sign_in import FactoryChoice, SignInRefusedError, factories, sign_in
from warehouse.installation import Installation

LONGEST_FORM_BYTES: Final = 16_384
REFUSED: Final = "Factory, e-mail or password is not right. After 5 wrong tries an account pauses for a minute, then longer."
FOREIGN: Final = "That form came from another site. Please sign in here."
LAST_FACTORY: Final = "factoryops_factory"
LAST_FACTORY_S: Final = 365 * 24 * 3600
log = structlog.get_logger()


def product_version() -> str:
    """The version of the installed product."""
    try:
        return version("factoryops")
    except PackageNotFoundError:
        return "development"


class SignInPage:
    """The routes under /session."""

    def __init__(self, installation: Installation, sessions: SessionCache) -> None:
        self.installation = installation
        self.sessions = sessions
        self._template = string.Template((Path(STATIC) / "signin.html").read_text(encoding="utf-8"))

    def routes(self) -> list[Route]:
        """What to put before Streamlit's own routes."""
        return [
            Route("/session/login", self.show, methods=["GET"]),
            Route("/session/login", self.enter, methods=["POST"]),
            Route("/session/logout", self.leave, methods=["POST"]),
            Route("/session/state", self.state, methods=["GET"]),
            Route("/session/alive", self.alive, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form; somebody who is signed in goes on at once."""
        wanted = safe_next(request.query_params.get("next"))
        if await self.sessions.check(token_of(request.scope), is_use=True) is not None:
            return RedirectResponse(wanted, 303, headers={"cache-control": "no-store"})
        return await self._page(next_=wanted, chosen=request.cookies.get(LAST_FACTORY, ""))

    async def enter(self, request: Request) -> Response:
        """Checks the password: 303 with the cookie, or the form again with 401."""
        inst = self.installation
        if int(request.headers.get("content-length") or 0) > LONGEST_FORM_BYTES:
            return PlainTextResponse("This form is too large.", 413)
        form = {name: str(value) for name, value in (await request.form(max_files=0, max_fields=10)).items()}
        wanted = safe_next(form.get("next"))
        if not is_same_origin(request.headers, inst.settings.app_url):
            return await self._page(next_=wanted, problem=FOREIGN, status=403)
        choice, email = form.get("factory", ""), form.get("email", "")
        try:
            opened = await run_in_threadpool(
                sign_in,
                inst.db,
                inst.settings,
                inst.clock,
                factory_id=int(choice) if choice.isdecimal() and len(choice) < 10 else 0,
                email=email,
                password=form.get("password", ""),
                address=request.client.host if request.client else None,
                user_agent=request.headers.get("user-agent"),
            )
        except SignInRefusedError:
            log.info("sign_in_refused", factory=choice, address=request.client.host if request.client else None)
            return await self._page(next_=wanted, problem=REFUSED, status=401, chosen=choice, email=email)
        answer = RedirectResponse(wanted, 303, headers={"cache-control": "no-store"})
        # Ends with the browser or with the row, whichever comes first.
        answer.set_cookie(COOKIE, opened.token, httponly=True, samesite="lax", secure=self._is_tls(request), path="/")
        # No secret: only so that the next sign-in on this browser begins with the same factory.
        answer.set_cookie(
            LAST_FACTORY, choice, max_age=LAST_FACTORY_S, httponly=True, samesite="lax", secure=self._is_tls(request), path=SIGN_IN
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """Ends the session here and in every tab, whoever asks for the page next."""
        inst = self.installation
        if not is_same_origin(request.headers, inst.settings.app_url):
            return PlainTextResponse("Sign out from FactoryOps itself.", 403)
        token = token_of(request.scope)
        if token:
            await run_in_threadpool(
                revoke_session, inst.db, inst.clock, session_id_of(token), address=request.client.host if request.client else None
            )
            self.sessions.forget(token)
        answer = RedirectResponse(SIGN_IN, 303, headers={"cache-control": "no-store"})
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=self._is_tls(request))
        return answer

    async def state(self, request: Request) -> Response:
        """204 while the session lives, 401 when not; asking does not keep it awake."""
        alive = await self.sessions.check(token_of(request.scope), is_use=False)
        return Response(status_code=204 if alive else 401, headers={"cache-control": "no-store"})

    async def alive(self, request: Request) -> Response:
        """Called while a person is at the keyboard: the guard has noted the use already."""
        if not is_same_origin(request.headers, self.installation.settings.app_url):
            return Response(status_code=403)
        return Response(status_code=204, headers={"cache-control": "no-store"})

    def _is_tls(self, request: Request) -> bool:
        return request.url.scheme == "https" or self.installation.settings.app_url.startswith("https:")

    async def _page(self, *, next_: str, problem: str = "", status: int = 200, chosen: str = "", email: str = "") -> Response:
        choices = await run_in_threadpool(factories, self.installation.db)
        hours = self.installation.settings.jwt_expiry_hours
        page = self._template.substitute(
            problem=f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else "",
            factories=_options(choices, chosen),
            email=escape(email, quote=True),
            next=escape(next_, quote=True),
            focus_email="" if email else "autofocus",
            focus_password="autofocus" if email else "",
            hours=f"{hours:g} h",
            version=escape(product_version()),
        )
        headers = {
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; font-src 'self'; img-src 'self'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            "referrer-policy": "same-origin",
            "x-content-type-options": "nosniff",
        }
        return HTMLResponse(page, status, headers=headers)


def _options(choices: Sequence[FactoryChoice], chosen: str) -> str:
    """Nothing is chosen for a new visitor unless there is only one: a wrong first choice looks like a wrong password."""
    known = len(choices) == 1 or any(str(choice.id) == chosen for choice in choices)
    asked = "" if known else '<option value="" disabled selected hidden>Choose your factory</option>'
    return asked + "".join(_option(choice, chosen) for choice in choices)


def _option(choice: FactoryChoice, chosen: str) -> str:
    mark = " selected" if str(choice.id) == chosen else ""
    return f'<option value="{choice.id}"{mark}>{escape(choice.name)}</option>'
