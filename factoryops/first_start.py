"""Before anything runs: databases, the first factory and its super admin, the demo."""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from factoryops.demo_sign_in import DemoSignIn, read_sign_in, write_sign_in
from warehouse.access.passwords import hash_password
from warehouse.db import Database
from warehouse.errors import InvalidInputError, PermanentError, RetryableError
from warehouse.installation import Installation
from warehouse.models.people import Factory, User
from warehouse.objects import make_bucket
from warehouse.settings import Settings
from warehouse.tenancy import system_session

_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
PASSWORD_BYTES: Final = 12


@dataclass(frozen=True)
class FirstAdmin:
    """What `init` made. The password exists nowhere else."""

    factory_name: str
    factory_slug: str
    email: str
    password: str


def initialise(settings: Settings, *, factory_name: str, slug: str, timezone: str, email: str) -> FirstAdmin:
    """Migrates both databases and makes the first factory with a super admin.

    Raises PermanentError when there is a factory already, InvalidInputError for a wrong name, time zone or e-mail.
    """
    slug = slug or slug_of(factory_name)
    _check(slug, timezone, email)
    installation = open_migrated(settings)
    try:
        if first_factory(installation.db) is not None:
            raise PermanentError(
                f"{settings.home} has a factory already; `init` makes only the first one. Sign in as its super admin to add people, "
                "or choose another --home"
            )
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        with system_session(installation.db, "make the first factory and its super admin", write=True) as session:
            factory = Factory(name=factory_name, slug=slug, timezone=timezone)
            session.add(factory)
            session.flush()
            session.add(
                User(factory_id=factory.id, email=email.strip().lower(), hashed_password=hash_password(password), role="super_admin")
            )
        return FirstAdmin(factory_name, slug, email.strip().lower(), password)
    finally:
        installation.close()


def prepare(settings: Settings, *, demo: bool, history_days: int) -> None:
    """What must be there before the first process starts; safe to run at each start.

    Raises PermanentError when there is no factory and no demo was asked for.
    """
    installation = open_migrated(settings)
    try:
        if demo:
            _prepare_demo(installation, history_days)
        elif first_factory(installation.db) is None:
            raise PermanentError(
                f"{settings.home} has no factory yet: run `factoryops init` first, or `factoryops up --demo` to look around"
            )
    finally:
        installation.close()


def set_up(settings: Settings) -> None:
    """Buckets and tables, made when they are not there. Raises RetryableError while the database or the store is away."""
    for address in (settings.lake_data_path, settings.object_store_url):
        make_bucket(settings, address)
    open_migrated(settings).close()


def open_migrated(settings: Settings) -> Installation:
    """The installation with its databases brought up to date. Raises RetryableError when the operational one is away."""
    settings.home.mkdir(parents=True, exist_ok=True)
    installation = Installation.open(settings)
    try:
        installation.db.migrate()
    except OperationalError as problem:
        installation.close()
        raise RetryableError(
            f"the operational database cannot be reached: {problem.orig}. Check DATABASE_URL and that the server runs"
        ) from problem
    installation.lake.snapshot_id()
    return installation


def first_factory(db: Database) -> Factory | None:
    """The factory that was made first."""
    with system_session(db, "look for the first factory") as session:
        return session.scalar(select(Factory).order_by(Factory.id).limit(1))


def slug_of(name: str) -> str:
    """A short name for MQTT topics made from a factory's name; empty when nothing usable is left."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))[:100]


def _check(slug: str, timezone: str, email: str) -> None:
    if not _SLUG.fullmatch(slug):
        raise InvalidInputError(f"the slug {slug!r} must be small letters, digits and single dashes; give one with --slug", path="slug")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise InvalidInputError(f"{timezone!r} is no IANA time zone such as Europe/Berlin", path="timezone") from unknown
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email.strip()):
        raise InvalidInputError(f"{email!r} is no e-mail address", path="email")


def _prepare_demo(installation: Installation, history_days: int) -> None:
    """Seeds what is missing, with its progress on the terminal, and keeps the sign-in so that each start can print it."""
    from factoryops.demo_analyses import order_first_analyses
    from ingest.simulator.demo import seed_demo

    known = read_sign_in(installation.settings.home)
    password = known.password if known else secrets.token_urlsafe(PASSWORD_BYTES)
    with _progress() as tell:
        seeded = seed_demo(installation, password=password, history_days=history_days, progress=tell)
    write_sign_in(installation.settings.home, DemoSignIn(seeded.factory, seeded.email, password))
    if seeded.was_needed:
        order_first_analyses(installation, history_days)


@contextmanager
def _progress() -> Iterator[Callable[[float, str], None]]:
    """A bar on a terminal, a line every tenth elsewhere; nothing when nothing is to be done."""
    console = Console()
    said = -1

    def tell_lines(share: float, what: str) -> None:
        nonlocal said
        if int(share * 10) > said:
            said = int(share * 10)
            console.print(f"Preparing the demo: {share:4.0%} {what}", highlight=False)

    if not console.is_terminal:
        yield tell_lines
        return
    with Progress(
        TextColumn("Preparing the demo"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), console=console
    ) as bar:
        task = bar.add_task("", total=1.0, visible=False)
        yield lambda share, what: bar.update(task, completed=share, description=what, visible=True)
