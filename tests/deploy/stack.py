"""Every service of deploy/compose.yaml as a plain process on this machine: its own command, its own environment, other addresses."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

from tests.deploy.files import DEPLOY, own_services
from tests.fixtures.object_store import Bucket
from tests.helpers import REPOSITORY, free_port
from warehouse.settings import bare_environment

FACTORYOPS = [sys.executable, "-m", "factoryops"]


class Stack:
    """The processes of the compose file. What a container would reach by a name is reached on 127.0.0.1."""

    def __init__(self, folder: Path, databases: dict[str, str], bucket: Bucket) -> None:
        self._folder, self._running = folder, dict[str, subprocess.Popen[bytes]]()
        self.ports = {name: free_port() for name in ("web", "dagster", "code", "broker", "http", "https", "admin")}
        secrets = folder / "secrets"
        secrets.mkdir()
        values = databases | {
            "jwt_secret_key": "j" * 40,
            "mqtt_password": "m" * 40,
            "s3_access_key_id": bucket.settings["s3_access_key_id"],
            "s3_secret_access_key": bucket.settings["s3_secret_access_key"],
            "smtp_password": "",
            "twilio_auth_token": "",
        }
        for name, value in values.items():
            (secrets / name).write_text(value)
        self._here = {
            "FACTORYOPS_HOME": str(folder / "home"), "FACTORYOPS_SECRETS": str(secrets), "S3_ENDPOINT_URL": bucket.endpoint_url,
            "LAKE_DATA_PATH": f"s3://lake-{bucket.name}/data", "OBJECT_STORE_URL": f"s3://files-{bucket.name}/files",
            "WEB_HOST": "127.0.0.1", "WEB_PORT": str(self.ports["web"]), "DAGSTER_HOST": "127.0.0.1", "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_PORT": str(self.ports["dagster"]), "DAGSTER_CODE_PORT": str(self.ports["code"]),
            "MQTT_LISTEN_HOST": "127.0.0.1", "MQTT_BROKER_PORT": str(self.ports["broker"]),
            "APP_URL": f"https://localhost:{self.ports['https']}",
        }  # fmt: skip

    def environment(self, name: str) -> dict[str, str]:
        """The service's environment, with the addresses of this machine, and nothing of ours."""
        stated = {key: str(value) for key, value in own_services()[name]["environment"].items()}
        # What the person who runs it would put into .env: nothing.
        stated = {key: "" if value.startswith("${") else value for key, value in stated.items()}
        stated |= {key: "127.0.0.1" for key in ("MQTT_BROKER_HOST",) if stated.get(key)}
        stated["SMTP_PORT"] = "587"
        return bare_environment(**stated | self._here | {"HOME": str(self._folder), "PYTHONUNBUFFERED": "1"})

    def command(self, name: str) -> list[str]:
        """The service's command line, listening on this machine only."""
        return [*FACTORYOPS, *(part.replace("0.0.0.0", "127.0.0.1") for part in own_services()[name]["command"])]

    def once(self, name: str, *arguments: str) -> str:
        """Runs the service to its end, with other arguments when some are given, as `docker compose run` does; its output."""
        command = [*FACTORYOPS, *arguments] if arguments else self.command(name)
        done = subprocess.run(command, env=self.environment(name), cwd=REPOSITORY, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *names: str) -> None:
        """Starts services."""
        for name in names:
            with self._log(name) as log:
                self._running[name] = subprocess.Popen(
                    self.command(name), env=self.environment(name), cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT
                )

    def start_proxy(self, caddy: Path) -> None:
        """Starts Caddy with the file of deploy/."""
        environment = bare_environment(
            HOME=str(self._folder), XDG_DATA_HOME=str(self._folder / "caddy"), XDG_CONFIG_HOME=str(self._folder / "caddy"),
            FACTORYOPS_HOST="localhost", WEB_UPSTREAM=f"127.0.0.1:{self.ports['web']}", HTTP_PORT=str(self.ports["http"]),
            HTTPS_PORT=str(self.ports["https"]), CADDY_ADMIN=f"127.0.0.1:{self.ports['admin']}",
        )  # fmt: skip
        command = [str(caddy), "run", "--config", str(DEPLOY / "caddy" / "Caddyfile"), "--adapter", "caddyfile"]
        with self._log("proxy") as log:
            self._running["proxy"] = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)

    @property
    def authority(self) -> Path:
        """The certificate of the proxy's own authority."""
        return self._folder / "caddy" / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    def dead(self) -> dict[str, str]:
        """Services that ended, with the end of what they said."""
        return {name: self.said(name) for name, process in self._running.items() if process.poll() is not None}

    def said(self, name: str) -> str:
        """The end of what a service printed."""
        return (self._folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def stop(self) -> dict[str, int]:
        """Asks all to end, in the reverse order of their start, and kills what has not within 30 s; exit codes by service."""
        for process in reversed(self._running.values()):
            process.send_signal(signal.SIGTERM)
        codes = {}
        for name, process in self._running.items():
            try:
                codes[name] = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                codes[name] = process.wait()
        return codes

    def _log(self, name: str) -> IO[bytes]:
        return (self._folder / f"{name}.log").open("ab")
