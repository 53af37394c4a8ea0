"""Secrets that an installation makes for itself, each once, in files that only their owner may read."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from warehouse.settings import Settings

SECRET_BYTES: Final = 36


def generated_secret(settings: Settings, name: str) -> str:
    """The secret of that name (small letters, digits, underscores) of this installation: 48 characters, made at the first call.

    Kept in FACTORYOPS_HOME/secrets, readable by its owner only (0600). All processes get the same one, also when they ask at once.
    """
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise ValueError(f"not a name of a secret: {name!r}")
    path = settings.home / "secrets" / name
    with suppress(FileNotFoundError):
        return path.read_text(encoding="ascii")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_once(path, secrets.token_urlsafe(SECRET_BYTES))
    return path.read_text(encoding="ascii")


def _write_once(path: Path, secret: str) -> None:
    """Puts a complete file in place; the first of several writers wins."""
    draft = path.with_name(f"{path.name}.{uuid4().hex}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secret)
    try:
        # A link fails when the name is taken, where a rename would replace what others have read already.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
