"""The files of an installation, wherever they lie: those of the lake, of reports and analyses, and the small ones of the home folder."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from warehouse.errors import PermanentError, RetryableError
from warehouse.objects import open_store
from warehouse.safekeeping.databases import DATABASE
from warehouse.safekeeping.store import Draft
from warehouse.settings import Settings

LAKE_FILES: Final = "lake/data/"
FILES: Final = "files/"
# Of the process that runs now, or made anew at each start.
_NOT_KEPT: Final = ("lake", "files", "backups", "dagster", "mail", "logs", "run", "tmp")


def keep_lake_files(settings: Settings, names: Iterable[str], draft: Draft) -> None:
    """Adds the data files that a catalog names. They never change, so what the last backup has under its name is not read again."""
    if "://" not in settings.lake_files:
        folder = Path(settings.lake_files)
        names = list(names)
        if missing := [name for name in names if not (folder / name).exists()]:
            message = f"the lake lacks {len(missing)} of its data files, such as {missing[0]}: put them back, or restore an older backup"
            raise PermanentError(message, missing=missing)
        for name in names:
            draft.add(LAKE_FILES + name, folder / name, _mark_of(folder / name))
        return
    store, root = open_store(settings, settings.lake_files)
    found = _listed(store, root)
    for name in names:
        if name not in found:
            message = f"{settings.lake_files} lacks {name}, which the catalog names: run the backup again; if it stays away, put it back"
            raise RetryableError(message, path=name)
        draft.add_from(LAKE_FILES + name, store, f"{root}/{name}", found[name])


def keep_files(settings: Settings, draft: Draft, target: str) -> None:
    """Adds the files of reports and analyses, without the backups themselves where they lie among them at `target`."""
    store, root = open_store(settings, settings.files_url)
    if "file" in store.protocol:
        for name, path in _walk(Path(root), Path(target)):
            draft.add(FILES + name, path)
        return
    for name, mark in _listed(store, root).items():
        if not f"{root}/{name}".startswith(f"{target}/"):
            draft.add_from(FILES + name, store, f"{root}/{name}", mark)


def keep_home(settings: Settings, draft: Draft) -> None:
    """Adds secrets, accounts of the broker: everything small of the home that is no database and no lock."""
    for name, path in _walk(settings.home, None, leave_out=_NOT_KEPT):
        if not name.startswith(DATABASE):
            draft.add(name, path)


def any_file(settings: Settings, address: str) -> str:
    """The name of some file below an address; empty when there is none."""
    store, root = open_store(settings, address)
    return next(iter(_listed(store, root)), "")


def _walk(root: Path, without: Path | None, leave_out: tuple[str, ...] = ()) -> Iterator[tuple[str, Path]]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if Path(folder, name) != without and not (Path(folder) == root and name in leave_out)]
        for name in names:
            path = Path(folder) / name
            if path.is_file() and path.suffix not in {".lock", ".part", ".pid", ".sock", ".draft"}:
                yield path.relative_to(root).as_posix(), path


def _listed(store: Any, root: str) -> dict[str, str]:
    """Every file below a folder of a store, with a mark that is another one whenever the content is."""
    found = store.find(root, detail=True) if store.exists(root) else {}
    return {
        path.removeprefix(f"{root}/"): f"{facts['size']} {facts.get('ETag') or facts.get('mtime')}"
        for path, facts in sorted(found.items())
        if facts["size"] or not path.endswith("/")
    }


def _mark_of(path: Path) -> str:
    facts = path.stat()
    return f"{facts.st_size} {facts.st_mtime_ns}"
