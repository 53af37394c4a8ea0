"""Signing in through an OpenID Connect identity provider: authorisation code with PKCE, by Authlib.

The provider says which verified e-mail somebody has; who that is here, and what they may do, say our accounts. A second factor is the
provider's business for those who come this way.
"""

import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import jwt
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt as signed
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select

from warehouse.access.keys import accepted_keys, signing_key
from warehouse.access.sessions import OpenedSession, open_session
from warehouse.access.sign_in import SignInRefusedError
from warehouse.access.tokens import read_signed
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import RetryableError
from warehouse.models.people import User
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

CALLBACK: Final = "/session/oidc/callback"
LIFE: Final = timedelta(minutes=10)
TIMEOUT_S: Final = 10
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Only those of key pairs: a provider's public key must never be taken for a shared secret."""
_PURPOSE: Final = "oidc"


class ProviderAwayError(RetryableError):
    """The identity provider cannot be reached, or says what no provider should."""


@dataclass(frozen=True)
class Departure:
    """Where the browser goes, and what it keeps in a cookie until it comes back."""

    url: str
    memory: str = field(repr=False)


def begin(settings: Settings, clock: Clock, factory_id: int, next_: str) -> Departure:
    """Starts a sign-in to a factory. Raises ProviderAwayError."""
    found, verifier, nonce = _discovered(settings), secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    url, state = _client(settings).create_authorization_url(found["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    memory = {"for": _PURPOSE, "state": state, "nonce": nonce, "verifier": verifier, "factory_id": factory_id, "next": next_}
    ends = clock.now() + LIFE
    return Departure(str(url), jwt.encode({**memory, "exp": int(ends.timestamp())}, signing_key(settings), "HS256"))


def finish(
    db: Database,
    settings: Settings,
    clock: Clock,
    *,
    memory: str,
    state: str,
    code: str,
    address: str | None = None,
    user_agent: str | None = None,
) -> tuple[OpenedSession, str]:
    """Opens a session for whoever came back, and says where they wanted to go.

    Raises SignInRefusedError when the answer is not of this browser's question, or nobody with that e-mail works in the factory;
    ProviderAwayError.
    """
    kept = _remembered(settings, memory)
    if kept is None or not code or not hmac.compare_digest(str(kept["state"]).encode(), state.encode()):
        raise SignInRefusedError("This sign-in was not begun here, or took too long; begin again.")
    email = _verified_email(settings, code, str(kept["verifier"]), str(kept["nonce"]))
    with tenant_session(db, int(kept["factory_id"])) as session:
        user = session.scalar(select(User).where(User.email == email, User.is_active.is_(True)))
    if user is None:
        raise SignInRefusedError("Nobody with the e-mail of that account works in this factory; ask for an invitation.")
    return open_session(db, settings, clock, user.id, address=address, user_agent=user_agent), str(kept["next"])


def _remembered(settings: Settings, memory: str) -> dict[str, Any] | None:
    try:
        kept = read_signed(memory, accepted_keys(settings), ["exp"])
    except jwt.InvalidTokenError:
        return None
    return kept if kept.get("for") == _PURPOSE else None


def _verified_email(settings: Settings, code: str, verifier: str, nonce: str) -> str:
    found = _discovered(settings)
    try:
        token = _client(settings).fetch_token(found["token_endpoint"], code=code, code_verifier=verifier)
    except (requests.RequestException, json.JSONDecodeError) as away:
        raise ProviderAwayError(f"the identity provider did not answer: {away}") from away
    except AuthlibBaseError as refused:
        raise SignInRefusedError("The identity provider refused this sign-in; begin again.") from refused
    claims = _claims(settings, str(token.get("id_token", "")), _json(str(found["jwks_uri"])), nonce)
    if claims.get("email_verified") is not True or not isinstance(claims.get("email"), str):
        raise SignInRefusedError("The identity provider does not vouch for the e-mail of that account.")
    return str(claims["email"]).strip().lower()


def _claims(settings: Settings, id_token: str, keys: dict[str, Any], nonce: str) -> dict[str, Any]:
    """What the provider signed, if it is for us, of now, and an answer to our question. Raises SignInRefusedError."""
    wanted = signed.JWTClaimsRegistry(
        leeway=60,
        iss={"essential": True, "value": settings.oidc_issuer},
        aud={"essential": True, "value": settings.oidc_client_id},
        nonce={"essential": True, "value": nonce},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        claims = signed.decode(id_token, KeySet.import_key_set(keys), algorithms=list(_ALGORITHMS)).claims  # type: ignore[arg-type]  # a JWKS
        wanted.validate(claims)
    except (JoseError, ValueError) as refused:
        raise SignInRefusedError("What the identity provider sent is not right; begin again.") from refused
    return dict(claims)


def _client(settings: Settings) -> OAuth2Session:
    return OAuth2Session(
        settings.oidc_client_id,
        settings.oidc_client_secret.get_secret_value(),
        scope="openid email",
        redirect_uri=settings.app_url.rstrip("/") + CALLBACK,
        code_challenge_method="S256",
        default_timeout=TIMEOUT_S,
    )


def _discovered(settings: Settings) -> dict[str, Any]:
    found = _json(settings.oidc_issuer.rstrip("/") + "/.well-known/openid-configuration")
    missing = {"authorization_endpoint", "token_endpoint", "jwks_uri"} - set(found)
    if found.get("issuer") != settings.oidc_issuer or missing:
        raise ProviderAwayError(
            f"{settings.oidc_issuer} is not the issuer that it says it is, or lacks {sorted(missing)}; check OIDC_ISSUER"
        )
    return found


def _json(url: str) -> dict[str, Any]:
    try:
        answer = requests.get(url, timeout=TIMEOUT_S)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as away:
        raise ProviderAwayError(f"the identity provider did not answer at {url}: {away}") from away
    if not isinstance(found, dict):
        raise ProviderAwayError(f"the identity provider answered nonsense at {url}")
    return found
