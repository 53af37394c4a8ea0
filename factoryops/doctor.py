"""`factoryops doctor`: looks at everything an installation needs and says in one line each what is wrong and what mends it."""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from factoryops import dagster_home, ports, up
from factoryops.doctor_running import (
    check_broker_limits,
    check_clocks,
    check_cursors,
    check_open_files,
    check_processes,
    check_rights,
)
from factoryops.findings import OK, WARNING, WRONG, Finding
from warehouse.db import is_at_head, rights_past_the_walls
from warehouse.errors import FactoryOpsError, SettingsError
from warehouse.installation import Installation
from warehouse.logs import configure_logs
from warehouse.models.streams import LandingBatch
from warehouse.settings import Settings
from warehouse.tenancy import system_session

GIB: Final = 1024**3
LOW_DISK_BYTES: Final = 5 * GIB
NO_DISK_BYTES: Final = GIB // 2
CLOCK_TOLERANCE_S: Final = 5


def run(home: Path | None) -> int:
    """Prints all findings; 1 when something is wrong, else 0."""
    console = Console()
    configure_logs(Settings.model_construct(log_level="WARNING", log_json=False))
    findings = examine(home)
    for found in findings:
        mark = {OK: "[green]✓[/]", WARNING: "[yellow]![/]", WRONG: "[bold red]✗[/]"}[found.state]
        console.print(f"{mark} [bold]{found.what}[/]: ", end="")
        console.print(found.said, markup=False, highlight=False, soft_wrap=True)
        if found.fix:
            console.print(f"    → {found.fix}", markup=False, highlight=False, soft_wrap=True)
    return 1 if any(found.state == WRONG for found in findings) else 0


def examine(home: Path | None) -> list[Finding]:
    """All checks in the order in which one depends on another; without settings there is only one."""
    try:
        settings = Settings.load(**({"factoryops_home": home} if home is not None else {}))
    except SettingsError as wrong:
        return [Finding("settings", WRONG, wrong.message, "correct them in the environment or in .env; .env.example has all of them")]
    found = [Finding("settings", OK, f"APP_ENV={settings.app_env}"), *check_home(settings)]
    if found[-1].state == WRONG:
        return found
    installation = Installation.open(settings)
    try:
        checks: list[Callable[[Installation], Finding]] = [check_database, check_role, check_lake, check_clock]
        found += [check(installation) for check in checks]
        found += [check_clocks(installation), *check_cursors(installation), *check_processes(installation)]
    finally:
        installation.close()
    found += [check_rights(settings), check_open_files(), check_secrets(settings), *check_broker(settings)]
    if settings.mqtt_broker_host or up.is_running(settings.home):
        found.append(check_broker_limits(settings))
    return [*found, check_dagster(settings)]


def check_home(settings: Settings) -> list[Finding]:
    """Is there a home, may we write there, is there room?"""
    home = settings.home
    if not home.is_dir():
        return [Finding("home", WRONG, f"{home} does not exist", "run `factoryops init`, or `factoryops up --demo` to look around")]
    if not os.access(home, os.W_OK | os.X_OK):
        return [Finding("home", WRONG, f"{home} is not writable", f"run as its owner, or: chown -R $USER {home}")]
    free = shutil.disk_usage(home).free
    state = WRONG if free < NO_DISK_BYTES else WARNING if free < LOW_DISK_BYTES else OK
    fix = "" if state == OK else "make room, or lower RAW_RETENTION_DAYS and let the maintenance job run"
    return [Finding("disk", state, f"{free / GIB:.1f} GiB free", fix), Finding("home", OK, str(home))]


def check_database(installation: Installation) -> Finding:
    """Does the operational database answer, and has it the newest schema?"""
    kind = "SQLite" if installation.db.is_sqlite else "PostgreSQL"
    try:
        current = is_at_head(installation.db)
    except DBAPIError as problem:
        return Finding("database", WRONG, f"{kind} cannot be reached: {problem.orig}", "check DATABASE_URL, and that the server runs")
    if not current:
        return Finding(
            "database",
            WRONG,
            f"{kind}, but migrations are missing: its schema is not the newest",
            "stop everything, then `factoryops upgrade`: it backs up and migrates; `factoryops up` migrates as well",
        )
    return Finding("database", OK, f"{kind}, schema is the newest")


def check_role(installation: Installation) -> Finding:
    """Does PostgreSQL's row-level security bind our role, so that factories stay apart even where a statement forgets to?"""
    if installation.db.is_sqlite:
        return Finding("database role", OK, "SQLite has none; factories are kept apart by the program")
    try:
        free = rights_past_the_walls(installation.db)
    except DBAPIError:
        return Finding("database role", OK, "not known while the database is away")
    if free:
        return Finding(
            "database role", WARNING, f"it has {' and '.join(free)}, so row-level security does not keep factories apart",
            "ALTER ROLE ... NOSUPERUSER NOBYPASSRLS, or let DATABASE_URL name another role that owns the tables",
        )  # fmt: skip
    return Finding("database role", OK, "bound by row-level security")


def check_lake(installation: Installation) -> Finding:
    """Can the lake be attached?"""
    try:
        return Finding("lake", OK, f"snapshot {installation.lake.snapshot_id()}")
    except FactoryOpsError as problem:
        return Finding("lake", WRONG, problem.message, "check LAKE_CATALOG_URL and LAKE_DATA_PATH; ingest and alerts go on meanwhile")


def check_clock(installation: Installation) -> Finding:
    """Nothing can have landed in the future. There is no time server to ask in a closed network."""
    now = installation.clock.now()
    try:
        with system_session(installation.db, "look at the newest batch") as session:
            newest = session.scalar(select(func.max(LandingBatch.landed_at)))
    except DBAPIError:
        newest = None  # the database check has said why
    if newest is not None and (newest - now).total_seconds() > CLOCK_TOLERANCE_S:
        return Finding(
            "clock", WRONG, f"it is {now:%Y-%m-%d %H:%M:%S} UTC, but data landed at {newest:%Y-%m-%d %H:%M:%S}", "set the clock (NTP)"
        )
    return Finding("clock", OK, f"{now:%Y-%m-%d %H:%M:%S} UTC")


def check_secrets(settings: Settings) -> Finding:
    """Files with secrets are for their owner only."""
    files = [path for pattern in ("secrets/*", "demo-*") for path in settings.home.glob(pattern) if path.is_file()]
    loose = [str(path) for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if loose:
        return Finding("secrets", WRONG, f"others may read {', '.join(loose)}", f"chmod 600 {' '.join(loose)}")
    return Finding("secrets", OK, f"{len(files)} files, readable by their owner only")


def check_broker(settings: Settings) -> list[Finding]:
    """Is there a broker, or one that could be started?"""
    port = settings.mqtt_broker_port
    if settings.mqtt_broker_host:
        if ports.answers(port, settings.mqtt_broker_host, timeout_s=3):
            return [Finding("broker", OK, f"{settings.mqtt_broker_host}:{port} answers")]
        return [Finding("broker", WRONG, f"{settings.mqtt_broker_host}:{port} does not answer", "check MQTT_BROKER_HOST, and that it runs")]
    program = shutil.which("mosquitto", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin") or shutil.which("mosquitto")
    found = [
        Finding("mosquitto", OK, program)
        if program
        else Finding("mosquitto", WARNING, "not on the PATH; a small broker for trying out is used instead", "apt-get install mosquitto")
    ]
    if not up.is_running(settings.home) and not ports.is_free(port):
        found.append(
            Finding(
                "broker", WARNING, f"port {port} is taken; `factoryops up` will use the next free one", "stop it, or set MQTT_BROKER_PORT"
            )
        )
    return found


def check_dagster(settings: Settings) -> Finding:
    """Has Dagster its settings? They are written at each start."""
    file = settings.home / "dagster" / dagster_home.INSTANCE_FILE
    if not file.exists():
        return Finding("dagster", OK, "not started yet")
    if file.read_text() != dagster_home.instance_yaml(settings.dagster_database_url):
        return Finding(
            "dagster", WARNING, f"{file} is of another version, or was changed", "start `factoryops up` again: it writes the file anew"
        )
    return Finding("dagster", OK, str(file.parent))
