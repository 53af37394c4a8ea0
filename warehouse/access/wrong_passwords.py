"""Counting wrong passwords and codes of an account: at sign-in, and where somebody who is signed in is asked again."""

from datetime import datetime
from typing import Final

from sqlalchemy import update
from sqlalchemy.orm import Session

from warehouse.access import audit
from warehouse.access.lockout import is_locked, pause_after
from warehouse.access.password_rules import LONGEST
from warehouse.access.passwords import verify_password
from warehouse.access.sessions import Identity
from warehouse.clock import Clock
from warehouse.db import Database
from warehouse.errors import InvalidInputError
from warehouse.models.people import Factory, User
from warehouse.tenancy import tenant_session

_NOBODY: Final = 0
"""Ids begin at 1."""


class AskedAgainRefusedError(InvalidInputError):
    """The password that was asked for again is not right, or the account pauses after wrong ones."""


def count_wrong(session: Session, now: datetime, factory_id: int | None, user: User | None, address: str | None) -> None:
    """Counts one for the account and writes it down, in the caller's writing transaction; while the account pauses it stays as it is.

    The same statements whether there is such an account or not, so that time does not tell (a test counts them). `factory_id` None, or
    one that does not exist: nothing can be written down, and nothing is told either, since everybody may know which factories there are.
    """
    row = session.get(User, user.id if user else _NOBODY, with_for_update=True, populate_existing=True)
    failed, locked_until = (row.failed_logins, row.locked_until) if row else (0, None)
    if row is not None and row.is_active and not is_locked(row.locked_until, now):
        failed += 1
        pause = pause_after(failed)
        locked_until = now + pause if pause else None
    # In words, because an object that did not change would not be written.
    session.execute(
        update(User).where(User.id == (row.id if row else _NOBODY)).values(failed_logins=failed, locked_until=locked_until),
        execution_options={"synchronize_session": False},
    )
    if factory_id is None or session.get(Factory, factory_id) is None:
        return
    after = {"failed_logins": failed, "locked_until": locked_until.isoformat() if locked_until else None}
    # Nobody is signed in here: the account is the target, not the actor. An unknown one is not named: it might be a password.
    target = f"user:{row.id}" if row else "user:unknown"
    audit.append(session, "session.refuse", target, now, audit.Actor(factory_id, None, address), after=after if row else None)


def check_again(db: Database, clock: Clock, who: Identity, password: str, path: str = "password") -> None:
    """Lets somebody who is signed in go on who knows the password; wrong ones count as at the sign-in.

    Otherwise an open browser that somebody found would be a place to try passwords. Raises AskedAgainRefusedError.
    """
    now = clock.now()
    with tenant_session(db, who.factory_id) as session:
        user = session.get_one(User, who.user_id)
    is_right = verify_password(password[:LONGEST], user.hashed_password)
    if is_locked(user.locked_until, now):
        raise AskedAgainRefusedError("Your account pauses after wrong passwords; try again later.", path=path)
    if not is_right:
        with tenant_session(db, who.factory_id, write=True) as session:
            count_wrong(session, now, who.factory_id, user, None)
        raise AskedAgainRefusedError("The password is not right.", path=path)
    if user.failed_logins:
        with tenant_session(db, who.factory_id, write=True) as session:
            session.get_one(User, who.user_id).failed_logins = 0
