"""What is printed when everything runs: where to look, how to sign in, how to send a reading."""

from typing import Final

from rich.box import ROUNDED
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from factoryops.demo_sign_in import read_sign_in
from factoryops.log_stream import LOG_FILE
from factoryops.parts import Ports
from warehouse.settings import Settings

DEMO_DEVICE: Final = "CNC-01"
"""The machine in whose name the printed command publishes."""


def announce(console: Console, settings: Settings, ports: Ports, *, demo: bool, started_in_s: float) -> None:
    """Prints one box, without lines that do not apply, and for the demo a command to copy."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("Open", f"[bold underline]http://{shown_host(settings.web_host)}:{ports.web}[/]")
    sign_in = read_sign_in(settings.home) if demo else None
    if sign_in:
        table.add_row(
            "Sign in", f"factory [bold]{sign_in.factory}[/]\ne-mail [bold]{sign_in.email}[/]   password [bold]{sign_in.password}[/]"
        )
    host = settings.mqtt_broker_host or "127.0.0.1"
    table.add_row("MQTT", f"{host}:{ports.mqtt}")
    table.add_row("Dagster", f"http://127.0.0.1:{ports.dagster}")
    if not settings.smtp_host:
        table.add_row("Mails", f"{settings.mail_folder} (no SMTP_HOST is set)")
    table.add_row("Logs", str(settings.home / LOG_FILE))
    box = Panel(
        table, title=f"FactoryOps runs (started in {started_in_s:.0f} s)", subtitle="Ctrl-C stops it", box=ROUNDED, border_style="green"
    )

    console.print(box)
    if demo:
        # Outside the box: lines are copied whole.
        console.print("Publish a reading of your own:", style="dim")
        console.print(publish_command(settings, host, ports.mqtt), markup=False, highlight=False, soft_wrap=True)


def publish_command(settings: Settings, host: str, port: int) -> str:
    """A command to copy that sends a reading of a new parameter of a demo machine."""
    from ingest.simulator.plant import FACTORIES
    from ingest.simulator.secrets import demo_device_key

    user = f"{FACTORIES[0].slug}/devices/{DEMO_DEVICE}"
    key = demo_device_key(settings, user)
    metrics = """'{"metrics": {"my_first_value": 42}}'"""
    return f"mosquitto_pub -h {host} -p {port} -q 1 -u {user} -P {key} -t factories/{user}/telemetry -m {metrics}"


def shown_host(host: str) -> str:
    """The host to type into a browser on this machine."""
    return "127.0.0.1" if host in {"0.0.0.0", ""} else host  # noqa: S104  # compared, not bound
