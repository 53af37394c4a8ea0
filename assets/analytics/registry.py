"""The registry of models: which were trained, on which data, how good they are, and which one counts. In the object store.

    models/<factory>/index.json              cards of all models, the version of each name that counts, a seal
    models/<factory>/<name>/<version>.joblib the model

A joblib file can run code when it is opened. So it is only ever read from the installation's own object store, under the name that the
index gives, and only when its sha256 is the one on its card; the index is sealed (HMAC-SHA256) with a key of the installation, so
somebody who can merely write to the store can neither change a model nor add one.
"""

import hashlib
import hmac
import io
import json
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as installed
from typing import Any, Final

import joblib
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from warehouse.access.keys import signing_key
from warehouse.errors import NotFoundError, PermanentError, RetryableError
from warehouse.installation import Installation
from warehouse.leases import Lease
from warehouse.objects import ObjectStore

KEPT: Final = 10
"""Versions of each name; older files are deleted, never the one that counts."""
_LIBRARIES: Final = ("scikit-learn", "numpy", "scipy")
_WRITES_FOR_S: Final = 30.0


class ModelUnusableError(PermanentError):
    """A stored model must not or cannot be opened; train it again."""


@dataclass(frozen=True)
class ModelCard:
    """What is known of one version of a model."""

    name: str
    """Such as `failure` or `anomaly-12`."""
    version: str
    """Of the moment it was made and its contents; sorts by age."""
    made_at: datetime
    snapshot_id: int
    """Number of the lake's snapshot that it learned from."""
    data_start: datetime
    data_end: datetime
    features: tuple[str, ...]
    metrics: Mapping[str, float]
    parameters: Mapping[str, Any]
    sha256: str
    size_bytes: int
    libraries: Mapping[str, str]
    """What it was made with; another version of them is not trusted to open it."""
    is_current: bool = False


@dataclass(frozen=True)
class Training:
    """What a model learned from and how well; goes onto its card."""

    snapshot_id: int
    data_start: datetime
    data_end: datetime
    features: Sequence[str]
    metrics: Mapping[str, float]
    parameters: Mapping[str, Any]


class ModelRegistry:
    """The models of one factory."""

    def __init__(self, installation: Installation, factory_id: int) -> None:
        self._installation, self._factory_id = installation, int(factory_id)
        self._store = ObjectStore(installation.settings)
        self._key = hashlib.sha256(b"models\0" + signing_key(installation.settings).encode()).digest()

    def save(self, name: str, model: Any, training: Training, *, counts: bool = True) -> ModelCard:
        """Keeps a model as the newest version of `name`, which counts from now on unless told otherwise.

        Raises RetryableError while the store is away.
        """
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,60}", name):
            raise ValueError(f"not a name of a model: {name!r}")
        buffer = io.BytesIO()
        joblib.dump(model, buffer, compress=3)
        content, now = buffer.getvalue(), self._installation.clock.now()
        sha256 = hashlib.sha256(content).hexdigest()
        card = ModelCard(
            name, f"{now:%Y%m%dT%H%M%S%f}-{sha256[:8]}", now, training.snapshot_id, training.data_start, training.data_end,
            tuple(training.features), dict(training.metrics), dict(training.parameters), sha256, len(content), _libraries(),
            is_current=counts,
        )  # fmt: skip
        self._store.write(self._path(card), content)
        with self._changed() as cards:
            mine = [replace(each, is_current=each.is_current and not counts) for each in cards if each.name == name] + [card]
            kept = [each for at, each in enumerate(mine) if each.is_current or at >= len(mine) - KEPT]
            cards[:] = [each for each in cards if each.name != name] + kept
        for old in mine:
            if old not in kept:
                self._store.delete(self._path(old))
        return card

    def cards(self, name: str = "") -> list[ModelCard]:
        """All versions, or those of one name, by name and oldest first."""
        return sorted((c for c in self._read() if name in {"", c.name}), key=lambda c: (c.name, c.version))

    def current(self, name: str) -> ModelCard | None:
        """The version of a model that counts; None when none was trained."""
        return next((card for card in self._read() if card.name == name and card.is_current), None)

    def load(self, card: ModelCard) -> Any:
        """The model of a card. Raises ModelUnusableError when its file is not the one that was saved, or other libraries made it."""
        if dict(card.libraries) != _libraries():
            made = ", ".join(f"{key} {value}" for key, value in card.libraries.items())
            raise ModelUnusableError(f"model {card.name} {card.version} was made with {made}; train it again", version=card.version)
        content = self._store.read(self._path(card))
        if hashlib.sha256(content).hexdigest() != card.sha256:
            raise ModelUnusableError(f"the file of model {card.name} {card.version} is not the one that was saved; train it again")
        return joblib.load(io.BytesIO(content))

    def rollback(self, name: str, version: str = "") -> ModelCard:
        """Lets an older version count again: `version`, or the one before the one that counts. Raises NotFoundError."""
        with self._changed() as cards:
            mine = sorted((card for card in cards if card.name == name), key=lambda card: card.version)
            at = next((number for number, card in enumerate(mine) if card.is_current), 0)
            wanted = [card for card in mine if card.version == version] if version else mine[max(0, at - 1) : at]
            if not wanted:
                raise NotFoundError(f"there is no {version or 'older version'} of model {name}", noun="model", key=name)
            chosen = wanted[0].version
            cards[:] = [replace(card, is_current=card.version == chosen) if card.name == name else card for card in cards]
        return replace(wanted[0], is_current=True)

    def _path(self, card: ModelCard) -> str:
        return f"models/{self._factory_id}/{card.name}/{card.version}.joblib"

    @property
    def _index(self) -> str:
        return f"models/{self._factory_id}/index.json"

    def _read(self) -> list[ModelCard]:
        try:
            index = json.loads(self._store.read(self._index))
        except NotFoundError:
            return []
        if not hmac.compare_digest(str(index.get("seal")), self._seal(index.get("cards", []))):
            message = f"{self._index} does not carry our seal: it was changed, or the JWT secret was; delete it and train again"
            raise ModelUnusableError(message, path=self._index)
        return [_card(each) for each in index["cards"]]

    def _seal(self, cards: list[dict[str, Any]]) -> str:
        text = json.dumps([self._factory_id, cards], sort_keys=True, default=str)
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()

    @contextmanager
    def _changed(self) -> Iterator[list[ModelCard]]:
        """The cards, to be changed in place; written back when the block ends well. One process at a time."""
        lease = Lease(self._installation.db, f"models:{self._factory_id}", self._installation.clock, ttl_s=_WRITES_FOR_S)
        again = Retrying(
            retry=retry_if_exception_type(RetryableError),
            stop=stop_after_delay(_WRITES_FOR_S),
            wait=wait_random_exponential(0.02, max=0.5),
            reraise=True,
        )
        again(_take, lease)
        try:
            cards = self._read()
            yield cards
            plain = json.loads(json.dumps([asdict(card) for card in cards], default=_plain))
            self._store.write(self._index, json.dumps({"cards": plain, "seal": self._seal(plain)}, indent=1).encode())
        finally:
            lease.release()


def _take(lease: Lease) -> None:
    if not lease.acquire():
        raise RetryableError("another process writes to the registry of models; try again", lease=lease.name)


def _libraries() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: installed(name) for name in _LIBRARIES}}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    # NumPy's numbers.
    return value.item()


def _card(stored: dict[str, Any]) -> ModelCard:
    moments = {name: datetime.fromisoformat(stored[name]) for name in ("made_at", "data_start", "data_end")}
    return ModelCard(**{**stored, **moments, "features": tuple(stored["features"])})
