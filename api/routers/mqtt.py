"""EMQX asks here who may sign in, and what a connection may do (HTTP authentication and authorisation; deploy/emqx/emqx.conf).

EMQX takes every answer but 200 and 204 as "no opinion" and asks its next source. So whatever is wrong with a question is answered 200
with `deny`; only while the database is away is there no answer, and then the configuration denies by itself.
"""

import hmac
import json
from typing import Any, Final

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.dependencies import Inst
from api.routing import Router
from api.schemas.mqtt import AuthenticationOut, AuthorizationOut
from ingest import broker_access

router = Router(prefix="/mqtt", tags=["mqtt"])
MOST_BYTES: Final = 64 * 1024
AUTHENTICATION_FIELDS: Final = ("username", "password")
AUTHORIZATION_FIELDS: Final = ("username", "key_id", "action", "topic")


@router.post("/authenticate", operation_id="mqttAuthenticate")
async def authenticate(request: Request, inst: Inst) -> AuthenticationOut:
    """Whether user name and password belong together. Body: JSON with `username` and `password`."""
    asked = await _asked(request, inst, AUTHENTICATION_FIELDS)
    mark = await run_in_threadpool(broker_access.sign_in, inst.db, inst.settings, *asked) if asked else ""
    return AuthenticationOut(result="allow", client_attrs={"key_id": mark}) if mark else AuthenticationOut(result="deny")


@router.post("/authorize", operation_id="mqttAuthorize")
async def authorize(request: Request, inst: Inst) -> AuthorizationOut:
    """Whether a connection may publish or subscribe. Body: JSON with `username`, `key_id`, `action` and `topic`."""
    asked = await _asked(request, inst, AUTHORIZATION_FIELDS)
    allowed = await run_in_threadpool(broker_access.may, inst.db, inst.settings, *asked) if asked else False
    return AuthorizationOut(result="allow" if allowed else "deny")


async def _asked(request: Request, inst: Inst, fields: tuple[str, ...]) -> list[str]:
    """The fields as texts, in their order; none when the question is not the broker's or not in its form."""
    secret = inst.settings.mqtt_auth_secret.get_secret_value()
    said = request.headers.get("authorization", "")
    if not secret or not hmac.compare_digest(said.encode(), f"Bearer {secret}".encode()):
        return []
    if not 0 < int(request.headers.get("content-length", "0")) <= MOST_BYTES:
        return []
    try:
        body: Any = json.loads(await request.body())
    except (ValueError, RecursionError):
        return []
    found = [body.get(name) for name in fields] if isinstance(body, dict) else []
    return [value for value in found if isinstance(value, str)] if all(isinstance(value, str) for value in found) else []
