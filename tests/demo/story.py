"""What a person does with the demo, from the first start to the second, told as facts in JSON for the tests beside it.

    python -m tests.demo.story FOLDER

Run it in a network namespace of its own (`unshare -rn`), where only loopback is: the kernel counts every packet that finds no way
out, whoever sends it and in whatever language.
"""

import contextlib
import json
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.demo_process import Demo
from factoryops.probes import get
from warehouse.clock import SystemClock
from warehouse.installation import Installation
from warehouse.models.devices import Device, LatestValue
from warehouse.settings import Settings
from warehouse.tenancy import system_session

LIVES_FOR_S = 25
"""From the first healthy answer on: longer than a process may be silent before that is noticed."""
HOST = "127.0.0.1"


def is_cut_off() -> bool:
    """Brings up loopback; True in a namespace that has no other way out, False when the machine's own network is here."""
    subprocess.run(["ip", "link", "set", "lo", "up"], capture_output=True, check=False)
    return {name for _, name in socket.if_nameindex()} == {"lo"}


def packets_without_way_out() -> int:
    """How many packets found no route since the namespace was made: the kernel counts them, whoever sent them."""
    names, values = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:")]
    in_v6 = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return int(values[names.index("OutNoRoutes")]) + int(in_v6["Ip6OutNoRoutes"])


def packets_are_counted() -> bool:
    """Tries to send one packet away, and sees whether the kernel counted it."""
    before = packets_without_way_out()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, contextlib.suppress(OSError):
        sender.sendto(b"x", ("203.0.113.9", 9))
    return packets_without_way_out() == before + 1


def within(seconds: float, ask: Callable[[], Any]) -> float | None:
    """Seconds until `ask` says yes, or None."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if ask():
            return round(time.monotonic() - began, 2)
        time.sleep(0.05)
    return None


def health(demo: Demo) -> dict[str, Any]:
    status, body = get(HOST, demo.addresses["web"], "/health")
    return json.loads(body) if status == 200 else {"status": f"HTTP {status}", "dependencies": {}}


def newest_reading_age_s(installation: Installation) -> float:
    with system_session(installation.db, "test") as session:
        newest = max(session.scalars(select(LatestValue.received_at)))
    return (installation.clock.now() - newest).total_seconds()


def live_value(installation: Installation, parameter: str) -> float | None:
    with system_session(installation.db, "test") as session:
        return session.scalar(select(LatestValue.value).where(LatestValue.parameter_key == parameter))


def lake_rows(installation: Installation) -> int:
    with installation.lake.cursor() as cursor:
        return int(cursor.execute("SELECT count(*) FROM lake.telemetry").fetchall()[0][0])


def first_start(demo: Demo, installation: Installation) -> dict[str, Any]:
    """Look around, publish, stop with Ctrl-C."""
    facts: dict[str, Any] = {"healthy_after_s": within(30, lambda: health(demo)["status"] == "healthy"), "health": health(demo)}
    healthy_at = time.monotonic()
    facts["front_page_status"], page = get(HOST, demo.addresses["web"], "/session/login")
    facts["front_page"] = page.decode(errors="replace")[:20_000]
    facts["dagster_page_status"] = get(HOST, demo.addresses["dagster"], "/")[0]
    command = next(line for line in demo.said().splitlines() if line.startswith("mosquitto_pub"))
    facts["publish_exit_code"] = subprocess.run(shlex.split(command), check=False, timeout=20).returncode
    facts["live_after_s"] = within(10, lambda: live_value(installation, "my_first_value") == 42)
    time.sleep(max(0.0, healthy_at + LIVES_FOR_S - time.monotonic()))
    facts["newest_reading_age_s"] = newest_reading_age_s(installation)
    facts["running"] = len(demo.processes())
    facts["health_later"] = health(demo)
    facts["stop_s"] = demo.stop(signal.SIGINT)
    facts["exit_code"], facts["left"] = demo.process.returncode if demo.process else None, list(demo.processes().values())
    return facts


def second_start(demo: Demo, installation: Installation, rows_before: int) -> dict[str, Any]:
    """The same home again: everything is still there, and goes on."""
    facts: dict[str, Any] = {"live_value": live_value(installation, "my_first_value")}
    facts["rows_grow_after_s"] = within(30, lambda: lake_rows(installation) > rows_before)
    facts["stop_s"] = demo.stop(signal.SIGTERM)
    facts["left"] = list(demo.processes().values())
    return facts


def tell(folder: Path) -> dict[str, Any]:
    """The whole story; facts of each part."""
    facts: dict[str, Any] = {"is_cut_off": is_cut_off()}
    facts["packets_are_counted"] = facts["is_cut_off"] and packets_are_counted()
    before = packets_without_way_out()
    record = folder / "foreign-addresses"
    environment = {"PYTHONPATH": str(Path(__file__).parent / "recorder"), "RECORD_FOREIGN_ADDRESSES": str(record)}
    home = folder / "home"
    # What history the demo begins with is tested in tests/ingest/simulator/test_demo.py.
    demo = Demo(home, history_days=0, environment=environment)
    began = time.monotonic()
    with demo:
        facts["ready_s"] = round(time.monotonic() - began, 1)
        installation = Installation.open(Settings(factoryops_home=home), SystemClock())
        with system_session(installation.db, "test") as session:
            facts["machines"] = len(session.scalars(select(Device.id)).all())
        facts["first"] = first_start(demo, installation)
        facts["first"]["output"] = demo.said()
    rows = lake_rows(installation)
    sign_in = (home / "demo-sign-in.json").read_text()
    with demo:
        facts["second"] = second_start(demo, installation, rows)
        facts["second"]["same_sign_in"] = (home / "demo-sign-in.json").read_text() == sign_in
        facts["second"]["shows_password"] = bool(re.search(re.escape(json.loads(sign_in)["password"]), demo.said()))
    installation.close()
    facts["foreign_addresses"] = record.read_text().splitlines() if record.exists() else []
    facts["packets_sent"] = packets_without_way_out() - before
    return facts


if __name__ == "__main__":
    target = Path(sys.argv[1])
    (target / "facts.json").write_text(json.dumps(tell(target)))
