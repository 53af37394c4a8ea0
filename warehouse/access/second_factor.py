"""The second factor of a person: an authenticator app, and ten recovery codes for the day the phone is gone."""

import base64
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from warehouse.access import audit, totp
from warehouse.access.keys import accepted_keys
from warehouse.access.one_time import digest
from warehouse.access.sessions import Identity
from warehouse.access.wrong_passwords import check_again, count_wrong
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.models.access import RecoveryCode, SecondFactor
from warehouse.models.people import User
from warehouse.settings import Settings
from warehouse.tenancy import system_session, tenant_session

RECOVERY_CODES: Final = 10
_SIGNS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without those that look alike on paper."""


class WrongCodeError(InvalidInputError):
    """The code is not right."""


@dataclass(frozen=True)
class Enrolment:
    """What the app needs; shown once."""

    secret: str = field(repr=False)
    link: str = field(repr=False)


def begin(db: Database, settings: Settings, clock: Clock, who: Identity, password: str) -> Enrolment:
    """A new secret for the app; sign-in asks for it only after `confirm`.

    Raises AskedAgainRefusedError for a wrong password, InvalidInputError when it is on.
    """
    check_again(db, clock, who, password)
    secret = totp.new_secret()
    with tenant_session(db, who.factory_id, write=True) as session:
        row = session.get(SecondFactor, who.user_id)
        if row is not None and row.confirmed_at is not None:
            raise InvalidInputError("There is a second factor already; end it first.", path="second_factor")
        if row is None:
            row = SecondFactor(user_id=who.user_id, factory_id=who.factory_id)
            session.add(row)
        row.sealed_secret, row.created_at, row.last_step = _seal(settings, secret), clock.now(), 0
    return Enrolment(secret, totp.app_link(secret, who.email, who.factory_name))


def confirm(db: Database, settings: Settings, clock: Clock, who: Identity, code: str) -> list[str]:
    """Turns the second factor on with a first code of the app; gives the recovery codes, shown once. Raises WrongCodeError."""
    now = clock.now()
    with tenant_session(db, who.factory_id, write=True) as session:
        row = session.scalar(select(SecondFactor).where(SecondFactor.user_id == who.user_id).with_for_update())
        if row is None or row.confirmed_at is not None or not _is_code(settings, row, code, clock):
            raise WrongCodeError("This code is not right; check that the phone's clock is.", path="code")
        row.confirmed_at = now
        codes = _new_codes(session, who)
        audit.append(session, "second_factor.on", f"user:{who.user_id}", now, audit.Actor(who.factory_id, who.user_id))
    return codes


def renew_recovery_codes(db: Database, settings: Settings, clock: Clock, who: Identity, code: str) -> list[str]:
    """Ten new recovery codes; the old ones stop working. Raises WrongCodeError."""
    with tenant_session(db, who.factory_id, write=True) as session:
        if not is_right(session, settings, clock, who.user_id, code):
            raise WrongCodeError("This code is not right.", path="code")
        codes = _new_codes(session, who)
        audit.append(session, "second_factor.codes", f"user:{who.user_id}", clock.now(), audit.Actor(who.factory_id, who.user_id))
    return codes


def end(db: Database, settings: Settings, clock: Clock, who: Identity, password: str, code: str) -> None:
    """Turns the second factor off, with the password and a code of the app or a recovery code.

    Raises AskedAgainRefusedError, WrongCodeError. Wrong codes count like wrong passwords.
    """
    check_again(db, clock, who, password)
    with tenant_session(db, who.factory_id, write=True) as session:
        is_code = is_right(session, settings, clock, who.user_id, code)
        if is_code:
            _remove(session, who.user_id)
            audit.append(session, "second_factor.off", f"user:{who.user_id}", clock.now(), audit.Actor(who.factory_id, who.user_id))
        else:
            count_wrong(session, clock.now(), who.factory_id, session.get_one(User, who.user_id), None)
    if not is_code:
        raise WrongCodeError("This code is not right.", path="code")


def remove_of(db: Database, clock: Clock, by: Identity, user_id: int, reason: str) -> None:
    """Takes the second factor from somebody of the same factory who lost phone and codes. Raises NotFoundError.

    The caller has checked that `by` may change that person.
    """
    with tenant_session(db, by.factory_id, write=True) as session:
        if session.get(User, user_id) is None:
            raise NotFoundError(f"there is no person {user_id} in this factory", noun="user", key=user_id)
        _remove(session, user_id)
        audit.append(session, "second_factor.remove", f"user:{user_id}", clock.now(), audit.Actor(by.factory_id, by.user_id), reason=reason)


def state(db: Database, who: Identity) -> tuple[bool, int]:
    """Whether the second factor is on, and how many recovery codes are left."""
    with tenant_session(db, who.factory_id) as session:
        left = select(func.count(RecoveryCode.id)).where(RecoveryCode.user_id == who.user_id, RecoveryCode.used_at.is_(None))
        return is_on(session, who.user_id), session.scalar(left) or 0


def is_on(session: Session, user_id: int) -> bool:
    """Whether sign-in asks this person for a code."""
    row = session.get(SecondFactor, user_id)
    return row is not None and row.confirmed_at is not None


def is_right(session: Session, settings: Settings, clock: Clock, user_id: int, code: str) -> bool:
    """Takes a code of the app or a recovery code, each only once, in the caller's transaction."""
    row = session.scalar(select(SecondFactor).where(SecondFactor.user_id == user_id).with_for_update())
    if row is None or row.confirmed_at is None:
        return False
    if _is_code(settings, row, code, clock):
        return True
    known = select(RecoveryCode).where(
        RecoveryCode.user_id == user_id, RecoveryCode.code_hash == _code_hash(code), RecoveryCode.used_at.is_(None)
    )
    spare = session.scalar(known.with_for_update())
    if spare is None:
        return False
    spare.used_at = clock.now()
    return True


def _is_code(settings: Settings, row: SecondFactor, code: str, clock: Clock) -> bool:
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        return False
    step = totp.matching_step(_unseal(settings, row.sealed_secret), digits, clock.now(), row.last_step)
    if step is None:
        return False
    row.last_step = step
    return True


def _new_codes(session: Session, who: Identity) -> list[str]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == who.user_id))
    codes = ["-".join("".join(secrets.choice(_SIGNS) for _ in range(4)) for _ in range(3)) for _ in range(RECOVERY_CODES)]
    session.add_all(RecoveryCode(factory_id=who.factory_id, user_id=who.user_id, code_hash=_code_hash(code)) for code in codes)
    return codes


def _remove(session: Session, user_id: int) -> None:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    session.execute(delete(SecondFactor).where(SecondFactor.user_id == user_id))


def _code_hash(code: str) -> str:
    return digest(re.sub(r"[^a-z0-9]", "", code.lower()))


def _seal(settings: Settings, secret: str) -> str:
    return _box(settings).encrypt(secret.encode()).decode()


def _unseal(settings: Settings, sealed: str) -> str:
    return _box(settings).decrypt(sealed.encode()).decode()


def reseal(db: Database, settings: Settings) -> int:
    """Seals every secret with the present JWT_SECRET_KEY, so that the one before can be forgotten; how many. Safe to repeat."""
    box = _box(settings)
    with system_session(db, "seal second factors with the present key", write=True) as session:
        rows = session.scalars(select(SecondFactor).where(SecondFactor.sealed_secret != "").with_for_update()).all()
        for row in rows:
            row.sealed_secret = box.rotate(row.sealed_secret.encode()).decode()
    return len(rows)


def _box(settings: Settings) -> MultiFernet:
    """Seals with a key derived from JWT_SECRET_KEY, which no database holds; opens what the key before it sealed as well."""
    return MultiFernet([_fernet(key) for key in accepted_keys(settings)])


def _fernet(key: str) -> Fernet:
    derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"factoryops second factor").derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
