"""The registry of models: what is kept, what counts, what is refused."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from assets.analytics.registry import KEPT, ModelRegistry, ModelUnusableError, Training
from factoryops import cli
from tests.fixtures.people import add_person
from warehouse.clock import ManualClock
from warehouse.db import Database
from warehouse.errors import NotFoundError
from warehouse.installation import Installation
from warehouse.lake import Lake
from warehouse.settings import Settings

LEARNED = Training(
    7, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC), ["level"], {"pr_auc": np.float64(0.9)}, {"trees": 60}
)


@pytest.fixture
def installation(settings: Settings, sqlite_database: Database, lake: Lake, manual_clock: ManualClock) -> Iterator[Installation]:
    return Installation(settings, sqlite_database, lake, manual_clock)


@pytest.fixture
def registry(installation: Installation) -> ModelRegistry:
    return ModelRegistry(installation, 1)


def _index(installation: Installation) -> Path:
    return installation.settings.home / "files" / "models" / "1" / "index.json"


def _files(installation: Installation) -> list[str]:
    return sorted(path.name for path in (_index(installation).parent / "failure").iterdir())


def test_the_newest_model_counts_and_comes_back_as_it_was(registry: ModelRegistry, manual_clock: ManualClock) -> None:
    registry.save("failure", {"a": 1}, LEARNED)
    manual_clock.advance(timedelta(days=1))
    saved = registry.save("failure", {"a": 2}, LEARNED)
    found = registry.current("failure")
    assert found == saved
    assert (found.snapshot_id, found.features, found.metrics) == (7, ("level",), {"pr_auc": 0.9})
    assert registry.load(found) == {"a": 2}


def test_rollback_goes_to_the_one_before_and_to_a_named_one(registry: ModelRegistry, manual_clock: ManualClock) -> None:
    versions = []
    for number in range(3):
        versions.append(registry.save("failure", number, LEARNED).version)
        manual_clock.advance(timedelta(days=1))
    assert registry.rollback("failure").version == versions[1]
    assert registry.load(registry.current("failure")) == 1
    assert registry.rollback("failure", versions[2]).version == versions[2]
    registry.rollback("failure", versions[0])
    with pytest.raises(NotFoundError, match="no older version"):
        registry.rollback("failure")


def test_old_versions_are_deleted_and_other_names_stay(
    registry: ModelRegistry, installation: Installation, manual_clock: ManualClock
) -> None:
    registry.save("anomaly-3", 0, LEARNED)
    for number in range(KEPT + 2):
        registry.save("failure", number, LEARNED)
        manual_clock.advance(timedelta(days=1))
    assert len(registry.cards("failure")) == KEPT == len(_files(installation))
    assert len(registry.cards()) == KEPT + 1


def test_a_model_that_does_not_count_leaves_the_one_that_does(registry: ModelRegistry, manual_clock: ManualClock) -> None:
    counting = registry.save("failure", 0, LEARNED)
    for number in range(KEPT + 1):
        manual_clock.advance(timedelta(days=1))
        registry.save("failure", number, LEARNED, counts=False)
    assert registry.current("failure") == counting
    assert registry.load(counting) == 0
    assert len(registry.cards("failure")) == KEPT + 1


def test_a_model_that_somebody_changed_is_not_opened(registry: ModelRegistry, installation: Installation) -> None:
    card = registry.save("failure", 1, LEARNED)
    path = _index(installation).parent / "failure" / f"{card.version}.joblib"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ModelUnusableError, match="not the one that was saved"):
        registry.load(card)


def test_an_index_without_our_seal_is_refused(registry: ModelRegistry, installation: Installation) -> None:
    registry.save("failure", 1, LEARNED)
    index = json.loads(_index(installation).read_text())
    index["cards"][0]["sha256"] = "0" * 64
    _index(installation).write_text(json.dumps(index))
    with pytest.raises(ModelUnusableError, match="seal"):
        registry.current("failure")


def test_the_index_of_another_factory_is_refused(registry: ModelRegistry, installation: Installation) -> None:
    registry.save("failure", 1, LEARNED)
    other = _index(installation).parents[1] / "2" / "index.json"
    other.parent.mkdir()
    other.write_bytes(_index(installation).read_bytes())
    with pytest.raises(ModelUnusableError, match="seal"):
        ModelRegistry(installation, 2).cards()


def test_a_model_of_other_libraries_is_not_opened(registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    card = registry.save("failure", 1, LEARNED)
    monkeypatch.setattr("assets.analytics.registry.installed", lambda name: "0.1")
    with pytest.raises(ModelUnusableError, match="train it again"):
        registry.load(card)


def test_the_commands_list_show_and_roll_back(settings: Settings, installation: Installation, manual_clock: ManualClock, password_hash: str,
                                              monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    settings.home.mkdir(exist_ok=True)
    person = add_person(installation.db, password_hash, "north")
    registry = ModelRegistry(installation, person.factory_id)
    first = registry.save("failure", 1, LEARNED)
    manual_clock.advance(timedelta(days=1))
    second = registry.save("failure", 2, LEARNED)
    monkeypatch.setenv("DATABASE_URL", str(installation.db.engine.url))
    monkeypatch.setenv("JWT_SECRET_KEY", settings.jwt_secret_key.get_secret_value())

    def said(*words: str) -> str:
        done = CliRunner().invoke(cli.app, ["models", *words, "--home", str(settings.home)])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert [line[0] for line in said("list").splitlines()] == [" ", "*"]
    assert json.loads(said("show", "failure"))["version"] == second.version
    assert first.version in said("rollback", "failure")
    assert json.loads(said("show", "failure"))["version"] == first.version
