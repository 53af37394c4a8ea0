"""Plain pages round the sign-in: code of the second factor, taking up an invitation, a new password by mail."""

import string
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from api.origin import address_of
from dashboards.static_files import STATIC
from factoryops.guard import COOKIE, SIGN_IN, is_same_origin
from factoryops.headers import PLAIN_PAGE
from rules.notify import account_mails
from warehouse.access import own_password, people
from warehouse.access.limits import RateLimit
from warehouse.access.origin import note_address
from warehouse.access.own_password import ResetRefusedError
from warehouse.access.password_rules import SHORTEST, PasswordRefusedError
from warehouse.access.people import InvitationRefusedError
from warehouse.access.sessions import OpenedSession
from warehouse.access.sign_in import FactoryChoice, factories
from warehouse.installation import Installation

LAST_FACTORY: Final = "factoryops_factory"
LAST_FACTORY_S: Final = 365 * 24 * 3600
LONGEST_FORM_BYTES: Final = 16_384
INVITATION: Final = "/session/invitation"
FORGOTTEN: Final = "/session/forgotten"
NEW_PASSWORD: Final = "/session/new-password"  # noqa: S105 - a path
CODE: Final = "/session/code"
FOREIGN: Final = "That form came from another site. Please use this one."
TOO_OFTEN: Final = "Too many tries from this address. Wait a minute and try again."
_PASSWORD: Final = (
    f'<label>New password, {SHORTEST} characters or more<input type="password" name="password" autocomplete="new-password" '
    f'minlength="{SHORTEST}" maxlength="1024" required></label>'
)
_template = string.Template((Path(STATIC) / "account.html").read_text(encoding="utf-8"))


async def read_form(request: Request) -> dict[str, str] | None:
    """The fields of a small form; None when it is too large, however it comes, or has too many fields."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_FORM_BYTES:
            return None
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10))
    except ValueError:
        return None


def page(
    title: str, action: str, say: str, fields: str, button: str, *, problem: str = "", status: int = 200, method: str = "post"
) -> HTMLResponse:
    """One of these pages. `fields` is HTML; everything else is text."""
    text = _template.substitute(
        title=escape(title),
        action=escape(action, quote=True),
        say=escape(say),
        fields=fields,
        button=escape(button),
        method=method,
        problem=f'<p class="bad" role="alert">{escape(problem)}</p>' if problem else "",
    )
    return HTMLResponse(text, status, headers=PLAIN_PAGE)


def code_page(ticket: str, next_: str, *, problem: str = "", status: int = 200) -> HTMLResponse:
    """Asks for the code of the authenticator app."""
    fields = (
        f'<input type="hidden" name="ticket" value="{escape(ticket, quote=True)}">'
        f'<input type="hidden" name="next" value="{escape(next_, quote=True)}">'
        '<label>Code<input name="code" inputmode="text" autocomplete="one-time-code" maxlength="20" required autofocus></label>'
    )
    say = "Six digits of your authenticator app, or one of your recovery codes."
    return page("Second factor", CODE, say, fields, "Sign in", problem=problem, status=status)


class AccountPages:
    """The routes under /session that change a password without a session."""

    def __init__(self, installation: Installation, limit: RateLimit) -> None:
        self.installation, self.limit = installation, limit

    def routes(self) -> list[Route]:
        """What to put beside the sign-in page."""
        return [
            Route(INVITATION, self.show_invitation, methods=["GET"]),
            Route(INVITATION, self.accept, methods=["POST"]),
            Route(FORGOTTEN, self.show_forgotten, methods=["GET"]),
            Route(FORGOTTEN, self.ask, methods=["POST"]),
            Route(NEW_PASSWORD, self.show_reset, methods=["GET"]),
            Route(NEW_PASSWORD, self.reset, methods=["POST"]),
        ]

    async def show_invitation(self, _request: Request) -> Response:
        """The form of the mail's link."""
        return self._invitation({})

    async def accept(self, request: Request) -> Response:
        """Sets the first password and lets the person in."""
        form, refusal = await self._checked(request)
        if refusal is not None:
            return refusal
        inst = self.installation
        try:
            opened = await run_in_threadpool(
                people.accept_invitation,
                inst.db,
                inst.settings,
                inst.clock,
                form.get("token", ""),
                form.get("password", ""),
                name=form.get("name", "").strip()[:255] or None,
                address=address_of(request),
                user_agent=request.headers.get("user-agent"),
            )
        except (InvitationRefusedError, PasswordRefusedError) as refused:
            return self._invitation(form, problem=refused.message, status=410 if isinstance(refused, InvitationRefusedError) else 422)
        return entered(request, opened, "/", inst.settings.app_url)

    async def show_forgotten(self, _request: Request) -> Response:
        """Asks whose password was forgotten."""
        return await self._forgotten()

    async def ask(self, request: Request) -> Response:
        """Says the same, as fast, whether or not there is such an account; the mail goes out after the answer."""
        form, refusal = await self._checked(request)
        if refusal is not None:
            return refusal
        choice = form.get("factory", "")
        factory_id = int(choice) if choice.isdecimal() and len(choice) < 10 else 0
        answer = _done("If there is such an account, a mail with a link is on its way to it.")
        answer.background = BackgroundTask(self._mail, factory_id, form.get("email", ""))
        return answer

    async def show_reset(self, _request: Request) -> Response:
        """The form of the mail's link."""
        return self._reset({})

    async def reset(self, request: Request) -> Response:
        """Sets the new password and ends all sign-ins."""
        form, refusal = await self._checked(request)
        if refusal is not None:
            return refusal
        inst = self.installation
        try:
            await run_in_threadpool(own_password.reset_password, inst.db, inst.clock, form.get("token", ""), form.get("password", ""))
        except (ResetRefusedError, PasswordRefusedError) as refused:
            return self._reset(form, problem=refused.message, status=410 if isinstance(refused, ResetRefusedError) else 422)
        return _done("Your new password is set, and all your sign-ins have ended. Sign in again.")

    def _invitation(self, form: Mapping[str, str], *, problem: str = "", status: int = 200) -> HTMLResponse:
        name = escape(form.get("name", ""), quote=True)
        fields = (
            _token_field(form)
            + f'<label>Your name<input name="name" autocomplete="name" maxlength="255" value="{name}"></label>'
            + _PASSWORD
        )
        return page("Welcome", INVITATION, "Choose a password for your account.", fields, "Open my account", problem=problem, status=status)

    def _reset(self, form: Mapping[str, str], *, problem: str = "", status: int = 200) -> HTMLResponse:
        say, fields = "Choose a new password. All your sign-ins end.", _token_field(form) + _PASSWORD
        return page("New password", NEW_PASSWORD, say, fields, "Set password", problem=problem, status=status)

    async def _forgotten(self) -> HTMLResponse:
        choices: list[FactoryChoice] = await run_in_threadpool(factories, self.installation.db)
        options = "".join(f'<option value="{one.id}">{escape(one.name)}</option>' for one in choices)
        fields = (
            f'<label>Factory<select name="factory" required>{options}</select></label>'
            '<label>E-mail<input type="email" name="email" autocomplete="username" maxlength="255" required></label>'
        )
        return page("Forgotten password", FORGOTTEN, "We mail you a link to a new one.", fields, "Send the mail")

    async def _checked(self, request: Request) -> tuple[dict[str, str], Response | None]:
        """The form; and what to answer instead when it is not to be looked at."""
        note_address(address_of(request))
        wait_s = self.limit.wait_s(address_of(request) or "")
        if wait_s:
            return {}, PlainTextResponse(TOO_OFTEN, 429, headers={"retry-after": str(wait_s)})
        form = await read_form(request)
        if form is None:
            return {}, PlainTextResponse("This form is too large.", 413)
        if not is_same_origin(request.headers, self.installation.settings.app_url):
            return {}, PlainTextResponse(FOREIGN, 403)
        return form, None

    def _mail(self, factory_id: int, email: str) -> None:
        inst = self.installation
        link = own_password.ask_for_reset(inst.db, inst.settings, inst.clock, factory_id, email)
        if link is not None:
            text = account_mails.reset(inst.settings, link.email, link.factory_name, link.token)
            account_mails.send(inst.settings, inst.clock, "password_reset", link.email, text)


def _token_field(form: Mapping[str, str]) -> str:
    return f'<input type="hidden" name="token" value="{escape(form.get("token", ""), quote=True)}">'


def _done(say: str) -> HTMLResponse:
    return page("Thank you", "/session/login", say, "", "Sign in", method="get")


def entered(request: Request, opened: OpenedSession, wanted: str, app_url: str) -> Response:
    """Somebody was let in: on to where they wanted to go, with the cookie of the session."""
    is_secure = is_tls(request, app_url)
    answer = RedirectResponse(wanted, 303, headers={"cache-control": "no-store"})
    # Ends with the browser or with the row, whichever comes first.
    answer.set_cookie(COOKIE, opened.token, httponly=True, samesite="lax", secure=is_secure, path="/")
    # No secret: only so that the next sign-in on this browser begins with the same factory.
    answer.set_cookie(
        LAST_FACTORY,
        str(opened.identity.factory_id),
        max_age=LAST_FACTORY_S,
        httponly=True,
        samesite="lax",
        secure=is_secure,
        path=SIGN_IN,
    )
    return answer


def is_tls(request: Request, app_url: str) -> bool:
    """Whether the browser speaks TLS, to us or to a proxy before us."""
    return request.url.scheme == "https" or app_url.startswith("https:")
