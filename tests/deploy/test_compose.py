"""deploy/compose.yaml says nothing that our processes do not understand, and gives none of them more than it needs."""

import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from factoryops.cli import app
from tests.deploy.files import DEPLOY, SETTINGS, compose, own_services

SERVICES = sorted(compose()["services"])
OWN = sorted(own_services())
IN_FILES = {"smtp_password", "twilio_auth_token"}


@pytest.mark.parametrize("name", OWN)
def test_each_of_our_services_runs_a_command_that_there_is_with_settings_that_there_are(name: str) -> None:
    service = own_services()[name]
    assert service["command"][0] in get_command(app).commands  # type: ignore[attr-defined]  # a group of commands
    assert set(service["environment"]) <= SETTINGS
    assert {secret.upper() for secret in service["secrets"]} <= SETTINGS


@pytest.mark.parametrize("name", OWN)
def test_each_of_our_services_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = own_services()[name]
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_bounded_and_looked_after(name: str) -> None:
    service = compose()["services"][name]
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
    assert service["logging"]["options"]["max-size"]
    if name != "setup":
        assert service["restart"] == "unless-stopped"
        assert service["stop_grace_period"]
        assert service["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_each_image_of_others_has_a_version(name: str) -> None:
    image = compose()["services"][name]["image"]
    assert image.startswith("factoryops:") or image.partition(":")[2] not in {"", "latest"}


def test_only_proxy_and_broker_listen_beyond_this_machine() -> None:
    services = compose()["services"]
    open_to_all = {name for name, found in services.items() for port in found.get("ports", []) if not port.startswith("127.0.0.1:")}
    assert open_to_all == {"proxy", "broker"}


def test_no_secret_stands_in_it(tmp_path: Path) -> None:
    """All come from files, and the script makes each of those, once, for its owner only."""
    script = tmp_path / "deploy" / "secrets.sh"
    script.parent.mkdir()
    script.write_text((DEPLOY / "secrets.sh").read_text())
    subprocess.run(["bash", script], check=True, capture_output=True)
    made = {path.name: path.read_text() for path in (tmp_path / "deploy" / "secrets").iterdir()}
    assert {Path(found["file"]).name for found in compose()["secrets"].values()} == set(made)
    assert {name for name, value in made.items() if not value} == IN_FILES
    assert (tmp_path / "deploy" / "secrets").stat().st_mode & 0o077 == 0
    subprocess.run(["bash", script], check=True, capture_output=True)
    assert {path.name: path.read_text() for path in (tmp_path / "deploy" / "secrets").iterdir()} == made


def test_what_the_image_is_made_of_is_there_and_complete() -> None:
    """A package that the image does not copy would be missed at run time only."""
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    assert all((DEPLOY.parent / name).exists() for name in copied)
    packages = {path.parent.name for path in DEPLOY.parent.glob("*/__init__.py")} - {"tests", "scripts"}
    assert packages <= copied
    allowed = {line.removeprefix("!") for line in (DEPLOY.parent / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= allowed
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001:10001"]
