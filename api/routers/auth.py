"""Signing in over the API."""

from fastapi import APIRouter, HTTPException, Request

from api.dependencies import Inst
from api.schemas.auth import Login, Token, UserOut
from warehouse.access.keys import signing_key
from warehouse.access.sign_in import SignInRefusedError, sign_in
from warehouse.access.tokens import make_access_token
from warehouse.models.people import PERMISSIONS

router = APIRouter(prefix="/auth", tags=["auth"])


@router.post("/login", operation_id="login", responses={401: {"description": "Factory, e-mail or password is not right."}})
def login(body: Login, inst: Inst, request: Request) -> Token:
    """Opens a session and answers with its access token."""
    try:
        opened = sign_in(
            inst.db,
            inst.settings,
            inst.clock,
            factory_id=body.factory_id,
            email=body.email,
            password=body.password,
            address=request.client.host if request.client else None,
            user_agent=request.headers.get("user-agent"),
        )
    except SignInRefusedError as refused:
        raise HTTPException(401, str(refused), {"WWW-Authenticate": "Bearer"}) from refused
    who, now = opened.identity, inst.clock.now()
    return Token(
        access_token=make_access_token(who, signing_key(inst.settings), now),
        expires_in=int((who.expires_at - now).total_seconds()),
        user=UserOut(id=who.user_id, email=who.email, role=who.role, permissions={p: who.may(p) for p in PERMISSIONS}),
    )
