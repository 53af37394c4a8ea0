"""The same request sent twice starts its work once: a lost answer may be asked for again without harm."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import ConflictError, InvalidInputError
from warehouse.models.requests import IdempotencyKey
from warehouse.tenancy import tenant_session

KEPT_FOR: Final = timedelta(days=1)
STARTED_WITHIN: Final = timedelta(minutes=5)
"""A start that took longer was cut off: the key may be tried again."""


@dataclass(frozen=True)
class Asked:
    """A request by the key that its sender gave it; None: the sender gave none, and each request is one of its own."""

    factory_id: int
    user_id: int
    operation: str
    """Such as `report.order`."""
    key: str | None
    body: Any
    """What was asked, as JSON."""


def once(db: Database, clock: Clock, asked: Asked, start: Callable[[], str]) -> tuple[str, bool]:
    """The id that `start` gave for this key, and whether it was given before; `start` runs at most once in `KEPT_FOR`.

    Raises InvalidInputError when the key came with something else before, ConflictError while another request with it is being
    started. When `start` fails nothing is remembered.
    """
    if asked.key is None:
        return start(), False
    known = _begin(db, clock, asked)
    if known is not None:
        return known, True
    try:
        result = start()
    except BaseException:
        _forget(db, asked)
        raise
    with tenant_session(db, asked.factory_id, write=True) as session:
        row = session.scalar(_mine(asked))
        if row is not None:
            row.result = result
    return result, False


def _begin(db: Database, clock: Clock, asked: Asked) -> str | None:
    digest, now = hashlib.sha256(json.dumps(asked.body, sort_keys=True).encode()).hexdigest(), clock.now()
    try:
        with tenant_session(db, asked.factory_id, write=True) as session:
            session.execute(delete(IdempotencyKey).where(IdempotencyKey.begun_at < now - KEPT_FOR))
            row = session.scalar(_mine(asked))
            if row is not None and row.result is None and row.begun_at < now - STARTED_WITHIN:
                row.asked_sha256, row.begun_at = digest, now
                return None
            if row is None:
                session.add(
                    IdempotencyKey(user_id=asked.user_id, operation=asked.operation, key=asked.key, asked_sha256=digest, begun_at=now)
                )
                return None
            return _answer(row, digest)
    except IntegrityError as raced:
        # Another request with the key came between our look and our row.
        raise ConflictError("a request with this Idempotency-Key is being carried out; ask again in a moment") from raced


def _answer(row: IdempotencyKey, digest: str) -> str:
    if row.asked_sha256 != digest:
        raise InvalidInputError("this Idempotency-Key was used for another request; a new request needs a new key", path="Idempotency-Key")
    if row.result is None:
        raise ConflictError("a request with this Idempotency-Key is being carried out; ask again in a moment")
    return row.result


def _forget(db: Database, asked: Asked) -> None:
    with tenant_session(db, asked.factory_id, write=True) as session:
        row = session.scalar(_mine(asked))
        if row is not None:
            session.delete(row)


def _mine(asked: Asked) -> Any:
    return select(IdempotencyKey).where(
        IdempotencyKey.user_id == asked.user_id, IdempotencyKey.operation == asked.operation, IdempotencyKey.key == asked.key
    )
