"""Signing in over the API, staying signed in, signing out, and passwords."""

from typing import Any

from fastapi import BackgroundTasks, Request, Response

from api.dependencies import Inst, Person, Who
from api.origin import address_of
from api.routing import Router
from api.schemas.auth import CodeAsked, CodeGiven, Login, Me, PasswordChange, Refreshed, ResetAsked, ResetGiven, Token, UserOut
from rules.notify import account_mails
from warehouse.access import own_password
from warehouse.access.keys import signing_key
from warehouse.access.sessions import Identity, OpenedSession, refresh_session, revoke_session
from warehouse.access.sign_in import TICKET_LIFE, SecondFactorNeededError, finish_sign_in, sign_in
from warehouse.access.tokens import make_access_token
from warehouse.installation import Installation
from warehouse.models.people import PERMISSIONS

router = Router(prefix="/auth", tags=["auth"])
_REFUSED: dict[int | str, dict[str, Any]] = {
    401: {"description": "Factory, e-mail, password or code is not right."},
    429: {"description": "Too many tries."},
}


@router.post(
    "/login",
    operation_id="login",
    responses={**_REFUSED, 202: {"model": CodeAsked, "description": "The password is right; a code is needed."}},
)
def login(body: Login, inst: Inst, request: Request, response: Response) -> Token | CodeAsked:
    """Opens a session and answers with its access token; 202 with a ticket where the person has a second factor."""
    try:
        opened = sign_in(
            inst.db,
            inst.settings,
            inst.clock,
            factory_id=body.factory_id,
            email=body.email,
            password=body.password,
            address=address_of(request),
            user_agent=request.headers.get("user-agent"),
        )
    except SecondFactorNeededError as needed:
        response.status_code = 202
        return CodeAsked(ticket=needed.ticket, expires_in=int(TICKET_LIFE.total_seconds()))
    return token_for(inst, opened)


@router.post("/second-factor", operation_id="finishLogin", responses={**_REFUSED})
def finish_login(body: CodeGiven, inst: Inst, request: Request) -> Token:
    """The second step of a sign-in: the ticket of the first and a code of the app."""
    address, agent = address_of(request), request.headers.get("user-agent")
    return token_for(inst, finish_sign_in(inst.db, inst.settings, inst.clock, body.ticket, body.code, address=address, user_agent=agent))


@router.post("/refresh", operation_id="refreshToken")
def refresh(who: Person, inst: Inst) -> Refreshed:
    """A newer token for the same sign-in, which ends a week after it began nonetheless."""
    newer = refresh_session(inst.db, inst.settings, inst.clock, who)
    return Refreshed(access_token=_signed(inst, newer), expires_in=_seconds_left(inst, newer))


@router.post("/logout", operation_id="logout", status_code=204)
def logout(who: Person, inst: Inst) -> None:
    """Ends the sign-in: its token and its cookie open nothing any more."""
    revoke_session(inst.db, inst.clock, who.session_id)


@router.get("/me", operation_id="getMe")
def get_me(who: Who) -> Me:
    """Who asks, and with which rights."""
    return Me(
        id=who.user_id,
        email=who.email,
        name=who.name,
        role=who.role,
        permissions={p: who.may(p) for p in PERMISSIONS},
        factory_id=who.factory_id,
        factory_slug=who.factory_slug,
        factory_name=who.factory_name,
        timezone=who.timezone,
        expires_at=who.expires_at,
        api_key_id=who.api_key_id,
    )


@router.post("/password", operation_id="changePassword", status_code=204)
def change_password(body: PasswordChange, who: Person, inst: Inst) -> None:
    """Another password. All other sign-ins of the person end."""
    own_password.change_password(inst.db, inst.clock, who, body.old_password, body.new_password)


@router.post("/password-reset", operation_id="askForPasswordReset", status_code=202, responses={429: {"description": "Too many tries."}})
def ask_for_reset(body: ResetAsked, inst: Inst, later: BackgroundTasks) -> None:
    """Mails a link to a new password to whoever has an account; answers the same, as fast, when nobody has."""
    later.add_task(_mail_reset_link, inst, body)


@router.post(
    "/password-reset/confirm",
    operation_id="resetPassword",
    status_code=204,
    responses={410: {"description": "The link was used or is too old."}, 429: {"description": "Too many tries."}},
)
def reset_password(body: ResetGiven, inst: Inst) -> None:
    """Sets the password with the secret of the mail's link. All sign-ins of the person end."""
    own_password.reset_password(inst.db, inst.clock, body.token, body.new_password)


def token_for(inst: Installation, opened: OpenedSession) -> Token:
    """What answers a sign-in."""
    who = opened.identity
    person = UserOut(id=who.user_id, email=who.email, role=who.role, permissions={p: who.may(p) for p in PERMISSIONS})
    return Token(access_token=_signed(inst, who), expires_in=_seconds_left(inst, who), user=person)


def _signed(inst: Installation, who: Identity) -> str:
    return make_access_token(who, signing_key(inst.settings), inst.clock.now())


def _seconds_left(inst: Installation, who: Identity) -> int:
    return int((who.expires_at - inst.clock.now()).total_seconds())


def _mail_reset_link(inst: Installation, asked: ResetAsked) -> None:
    link = own_password.ask_for_reset(inst.db, inst.settings, inst.clock, asked.factory_id, asked.email)
    if link is not None:
        text = account_mails.reset(inst.settings, link.email, link.factory_name, link.token)
        account_mails.send(inst.settings, inst.clock, "password_reset", link.email, text)
