"""How people sign in to the demo, kept in its home so that each start can say it again. Never used outside the demo."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

FILE: Final = "demo-sign-in.json"


@dataclass(frozen=True)
class DemoSignIn:
    """Factory name, e-mail and generated password of the demo."""

    factory: str
    email: str
    password: str

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The reverse of `json.dumps(asdict(...))`."""
        return cls(**json.loads(text))


def read_sign_in(home: Path) -> DemoSignIn | None:
    """What was written before, or None."""
    path = home / FILE
    return DemoSignIn.from_json(path.read_text()) if path.exists() else None


def write_sign_in(home: Path, sign_in: DemoSignIn) -> None:
    """Keeps it in a file that only its owner may read (0600), also while it is being written."""
    path, new = home / FILE, home / f"{FILE}.new"
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(sign_in), file)
    new.replace(path)
