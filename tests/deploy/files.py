"""The files of deploy/ as tests read them."""

from pathlib import Path
from typing import Any

import yaml

from tests.helpers import REPOSITORY
from warehouse.settings import Settings

DEPLOY = REPOSITORY / "deploy"
SETTINGS = {name.upper() for name in Settings.model_fields}


def compose() -> dict[str, Any]:
    """deploy/compose.yaml with its anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def own_services() -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {name: service for name, service in compose()["services"].items() if service["image"].startswith("factoryops:")}


def documents(folder: Path) -> list[dict[str, Any]]:
    """Every Kubernetes object in the files of a folder."""
    return [found for path in sorted(folder.glob("*.yaml")) for found in yaml.safe_load_all(path.read_text()) if found]
