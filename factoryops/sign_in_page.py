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

from api.origin import address_of
from dashboards.static_files import STATIC
from factoryops.account_pages import CODE, LAST_FACTORY, TOO_OFTEN, code_page, entered, is_tls, read_form
from factoryops.guard import COOKIE, SIGN_IN, SessionCache, is_same_origin, safe_next, token_of
from factoryops.headers import PLAIN_PAGE
from warehouse.access.limits import RateLimit
from warehouse.access.sessions import revoke_session, session_id_of
from warehouse.access.sign_in import (
    AddressPausedError,
    FactoryChoice,
    SecondFactorNeededError,
    SignInRefusedError,
    factories,
    finish_sign_in,
    sign_in,
)
from warehouse.installation import Installation
from warehouse.settings import Settings

REFUSED: Final = "Factory, e-mail or password is not right. After 5 wrong tries an account pauses for a minute, then longer."
FOREIGN: Final = "That form came from another site. Please sign in here."
log = structlog.get_logger()


def product_version() -> str:
    """The version of the installed product."""
    try:
        return version("factoryops")
    except PackageNotFoundError:
        return "development"


class SignInPage:
    """The routes under /session."""

    def __init__(self, installation: Installation, sessions: SessionCache, limit: RateLimit) -> None:
        self.installation, self.sessions, self.limit = installation, sessions, limit
        self._template = string.Template((Path(STATIC) / "signin.html").read_text(encoding="utf-8"))

    def routes(self) -> list[Route]:
        """What to put before Streamlit's own routes."""
        return [
            Route("/session/login", self.show, methods=["GET"]),
            Route("/session/login", self.enter, methods=["POST"]),
            Route(CODE, self.finish, methods=["POST"]),
            Route("/session/logout", self.leave, methods=["POST"]),
            Route("/session/state", self.state, methods=["GET"]),
            Route("/session/alive", self.alive, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form; somebody who is signed in goes on at once, unless they want to another `factory` of theirs."""
        wanted, other = safe_next(request.query_params.get("next")), request.query_params.get("factory", "")
        who = await self.sessions.check(token_of(request.scope), is_use=True)
        if who is not None and not other:
            return RedirectResponse(wanted, 303, headers={"cache-control": "no-store"})
        chosen = other or request.cookies.get(LAST_FACTORY, "")
        return await self._page(next_=wanted, chosen=chosen, email=who.email if who else "")

    async def enter(self, request: Request) -> Response:
        """Checks the password: 303 with the cookie, or the form again with 401."""
        inst, form = self.installation, await read_form(request)
        refusal = await self._refusal(request, form)
        if form is None or refusal is not None:
            return refusal or _too_large()
        wanted, choice, email = safe_next(form.get("next")), form.get("factory", ""), form.get("email", "")
        try:
            opened = await run_in_threadpool(
                sign_in,
                inst.db,
                inst.settings,
                inst.clock,
                factory_id=int(choice) if choice.isdecimal() and len(choice) < 10 else 0,
                email=email,
                password=form.get("password", ""),
                address=address_of(request),
                user_agent=request.headers.get("user-agent"),
            )
        except SecondFactorNeededError as needed:
            return code_page(needed.ticket, wanted)
        except AddressPausedError as paused:
            return await self._too_often(wanted, choice, email, paused.retry_after_s)
        except SignInRefusedError:
            log.info("sign_in_refused", factory=choice, address=address_of(request))
            return await self._page(next_=wanted, problem=REFUSED, status=401, chosen=choice, email=email)
        await self._leave_before(request)
        return entered(request, opened, wanted, inst.settings.app_url)

    async def finish(self, request: Request) -> Response:
        """Checks the code after the password: 303 with the cookie, or the form again with 401."""
        inst, form = self.installation, await read_form(request)
        refusal = await self._refusal(request, form)
        if form is None or refusal is not None:
            return refusal or _too_large()
        wanted = safe_next(form.get("next"))
        ticket, agent = form.get("ticket", ""), request.headers.get("user-agent")
        try:
            opened = await run_in_threadpool(
                finish_sign_in,
                inst.db,
                inst.settings,
                inst.clock,
                ticket,
                form.get("code", ""),
                address=address_of(request),
                user_agent=agent,
            )
        except AddressPausedError as paused:
            return await self._too_often(wanted, "", "", paused.retry_after_s)
        except SignInRefusedError as refused:
            return code_page(ticket, wanted, problem=refused.message, status=401)
        await self._leave_before(request)
        return entered(request, opened, wanted, inst.settings.app_url)

    async def _leave_before(self, request: Request) -> None:
        """Ends the session that this browser had until now: its cookie is replaced, and nobody could end it any more."""
        inst, token = self.installation, token_of(request.scope)
        if token:
            await run_in_threadpool(revoke_session, inst.db, inst.clock, session_id_of(token), address=address_of(request))
            self.sessions.forget(token)

    async def leave(self, request: Request) -> Response:
        """Ends the session here and in every tab, whoever asks for the page next."""
        inst = self.installation
        if not is_same_origin(request.headers, inst.settings.app_url):
            return PlainTextResponse("Sign out from FactoryOps itself.", 403)
        await self._leave_before(request)
        answer = RedirectResponse(SIGN_IN, 303, headers={"cache-control": "no-store"})
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax", secure=is_tls(request, inst.settings.app_url))
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

    async def _refusal(self, request: Request, form: dict[str, str] | None) -> Response | None:
        """What to answer instead when a form is not to be looked at."""
        if form is None:
            return _too_large()
        wanted, choice, email = safe_next(form.get("next")), form.get("factory", ""), form.get("email", "")
        if not is_same_origin(request.headers, self.installation.settings.app_url):
            return await self._page(next_=wanted, problem=FOREIGN, status=403)
        wait_s = self.limit.wait_s(address_of(request) or "")
        return await self._too_often(wanted, choice, email, wait_s) if wait_s else None

    async def _too_often(self, wanted: str, choice: str, email: str, wait_s: int) -> Response:
        answer = await self._page(next_=wanted, problem=TOO_OFTEN, status=429, chosen=choice, email=email)
        answer.headers["retry-after"] = str(wait_s)
        return answer

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
            oidc=_provider_button(self.installation.settings),
        )
        return HTMLResponse(page, status, headers=PLAIN_PAGE)


def _too_large() -> Response:
    return PlainTextResponse("This form is too large.", 413)


def _provider_button(settings: Settings) -> str:
    if not settings.oidc_issuer:
        return ""
    label = f"Sign in with {escape(settings.oidc_label)}"
    return f'<span class="or">or</span><button class="two" formaction="/session/oidc/start" formnovalidate>{label}</button>'


def _options(choices: Sequence[FactoryChoice], chosen: str) -> str:
    """Nothing is chosen for a new visitor unless there is only one: a wrong first choice looks like a wrong password."""
    known = len(choices) == 1 or any(str(choice.id) == chosen for choice in choices)
    asked = "" if known else '<option value="" disabled selected hidden>Choose your factory</option>'
    return asked + "".join(_option(choice, chosen) for choice in choices)


def _option(choice: FactoryChoice, chosen: str) -> str:
    mark = " selected" if str(choice.id) == chosen else ""
    return f'<option value="{choice.id}"{mark}>{escape(choice.name)}</option>'
