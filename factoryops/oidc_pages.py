"""The way to an identity provider and back."""

from html import escape
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from api.origin import address_of
from factoryops.account_pages import FOREIGN, TOO_OFTEN, entered, is_tls, page, read_form
from factoryops.guard import is_same_origin, safe_next
from factoryops.headers import PLAIN_PAGE
from warehouse.access import oidc
from warehouse.access.limits import RateLimit
from warehouse.access.sign_in import SignInRefusedError
from warehouse.installation import Installation

START: Final = "/session/oidc/start"
MEMORY: Final = "factoryops_oidc"
log = structlog.get_logger()


class OidcPages:
    """The routes under /session/oidc; none where no provider is set."""

    def __init__(self, installation: Installation, limit: RateLimit) -> None:
        self.installation, self.limit = installation, limit

    def routes(self) -> list[Route]:
        """What to put beside the sign-in page."""
        if not self.installation.settings.oidc_issuer:
            return []
        return [Route(START, self.start, methods=["POST"]), Route(oidc.CALLBACK, self.back, methods=["GET"])]

    async def start(self, request: Request) -> Response:
        """Sends the browser to the provider."""
        inst, form = self.installation, await read_form(request)
        if form is None:
            return PlainTextResponse("This form is too large.", 413)
        if not is_same_origin(request.headers, inst.settings.app_url):
            return PlainTextResponse(FOREIGN, 403)
        wait_s = self.limit.wait_s(address_of(request) or "")
        if wait_s:
            return PlainTextResponse(TOO_OFTEN, 429, headers={"retry-after": str(wait_s)})
        choice = form.get("factory", "")
        factory_id = int(choice) if choice.isdecimal() and len(choice) < 10 else 0
        try:
            leaving = await run_in_threadpool(oidc.begin, inst.settings, inst.clock, factory_id, safe_next(form.get("next")))
        except oidc.ProviderAwayError as away:
            return _failed(away.message, 503)
        # A redirect would be the answer to a form, which our policy only lets go to ourselves.
        url = escape(leaving.url, quote=True)
        text = f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={url}"><a href="{url}">Continue</a>'
        answer = HTMLResponse(text, headers=PLAIN_PAGE)
        answer.set_cookie(
            MEMORY,
            leaving.memory,
            max_age=int(oidc.LIFE.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=is_tls(request, inst.settings.app_url),
            path="/session/oidc",
        )
        return answer

    async def back(self, request: Request) -> Response:
        """Whoever comes from the provider is let in, or told why not."""
        inst, query = self.installation, request.query_params
        try:
            opened, wanted = await run_in_threadpool(
                oidc.finish,
                inst.db,
                inst.settings,
                inst.clock,
                memory=request.cookies.get(MEMORY, ""),
                state=query.get("state", ""),
                code=query.get("code", ""),
                address=address_of(request),
                user_agent=request.headers.get("user-agent"),
            )
        except SignInRefusedError as refused:
            log.info("sign_in_refused", address=address_of(request), provider=inst.settings.oidc_issuer)
            return _failed(refused.message, 401)
        except oidc.ProviderAwayError as away:
            return _failed(away.message, 503)
        answer = entered(request, opened, safe_next(wanted), inst.settings.app_url)
        answer.delete_cookie(MEMORY, path="/session/oidc", httponly=True, samesite="lax", secure=is_tls(request, inst.settings.app_url))
        return answer


def _failed(say: str, status: int) -> Response:
    log.warning("oidc_failed", reason=say, status=status)
    shown = say if status < 500 else "The identity provider cannot be reached right now; try again, or sign in with your password."
    return page("Sign in", "/session/login", shown, "", "Back", status=status, method="get")
