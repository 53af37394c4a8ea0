"""Where backups lie: a folder or an object store, through fsspec; each content once, under the name of its checksum."""

import hashlib
import json
import posixpath
from pathlib import Path
from typing import Any, Final

from warehouse.errors import NotFoundError, PermanentError
from warehouse.objects import make_folder, open_store
from warehouse.outgrow.files import digest_in, digest_of
from warehouse.settings import Settings

FORMAT: Final = 2
"""1: everything of it is files; 2: a database of it are tables of PostgreSQL."""


class BackupStore:
    """One target. What stands there under its own name is whole: a backup that was killed leaves parts that nobody trusts."""

    def __init__(self, settings: Settings, address: str) -> None:
        local = "://" not in address
        self._files, self.root = open_store(settings, str(Path(address).expanduser().absolute()) if local else address)

    def names(self) -> list[str]:
        """Names of the complete backups, oldest first."""
        folder = self._at("backups")
        found = self._files.ls(folder, detail=False) if self._files.exists(folder) else []
        return sorted(Path(path).stem for path in found if str(path).endswith(".json"))

    def manifest(self, name: str | None) -> dict[str, Any]:
        """What a backup (the newest without `name`) holds. Raises NotFoundError, PermanentError for one of a newer program."""
        names = self.names()
        if not names or (name is not None and name not in names):
            message = f"there is no backup {name or ''} in {self.root}; there are: {', '.join(names) or 'none'}"
            raise NotFoundError(message, noun="backup", key=name)
        found = dict(json.loads(self._files.cat_file(self._at("backups", f"{name or names[-1]}.json"))))
        if found["format"] > FORMAT:
            message = f"the backup was made by a newer version (format {found['format']}): update FactoryOps first"
            raise PermanentError(message)
        return found

    def put(self, path: Path) -> tuple[str, int, bool]:
        """Adds a file unless its content is there; digest, size, and whether it was added."""
        digest, size = digest_of(path), path.stat().st_size
        if self.has(digest, size):
            return digest, size, False
        place = self._place(digest)
        make_folder(self._files, posixpath.dirname(place))
        # Under its own name only when it is whole: a killed backup must not leave half an object that the next one trusts.
        self._files.put_file(str(path), f"{place}.part")
        self._files.mv(f"{place}.part", place)
        return digest, size, True

    def has(self, digest: str, size: int) -> bool:
        """Whether a content is there."""
        place = self._place(digest)
        return bool(self._files.exists(place) and self._files.size(place) == size)

    def write_manifest(self, name: str, facts: dict[str, Any]) -> None:
        """Makes the backup one: what was put before belongs to it from now on."""
        place = self._at("backups", f"{name}.json")
        make_folder(self._files, posixpath.dirname(place))
        self._files.pipe_file(f"{place}.part", json.dumps(facts, indent=1).encode())
        self._files.mv(f"{place}.part", place)

    def read(self, digest: str) -> bytes:
        """One content, for those that are small."""
        content: bytes = self._files.cat_file(self._place(digest))
        return content

    def problem_of(self, place: str, entry: dict[str, Any]) -> str:
        """What is wrong with a file of a backup; empty when it can be restored."""
        found = digest_in(self._files, self._place(entry["sha256"]))
        return "" if found == entry["sha256"] else f"{place}: damaged" if found else f"{place}: missing"

    def fetch(self, place: str, entry: dict[str, Any], path: Path) -> None:
        """Puts a file of a backup to `path`, whole or not at all, unless it is there. Raises PermanentError when it is damaged."""
        if path.exists() and path.stat().st_size == entry["bytes"] and digest_of(path) == entry["sha256"]:
            return  # a restore that was killed had come this far
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.part")
        self._fetch_checked(place, entry, draft)
        draft.replace(path)

    def deliver(self, place: str, entry: dict[str, Any], files: Any, path: str, through: Path) -> None:
        """Puts a file of a backup to `path` of another store, unless it is there; `through` is a folder for the way."""
        if digest_in(files, path) == entry["sha256"]:
            return
        draft = through / "delivered"
        self._fetch_checked(place, entry, draft)
        files.put_file(str(draft), path)
        draft.unlink()

    def _fetch_checked(self, place: str, entry: dict[str, Any], path: Path) -> None:
        try:
            self._files.get_file(self._place(entry["sha256"]), str(path))
            problem = "" if digest_of(path) == entry["sha256"] else f"{place}: damaged"
        except FileNotFoundError:
            problem = f"{place}: missing"
        if problem:
            message = f"the backup cannot be restored: {problem}; `factoryops verify-backup` lists everything, an older backup may be whole"
            raise PermanentError(message, place=place)

    def _place(self, digest: str) -> str:
        return self._at("objects", digest[:2], digest)

    def _at(self, *parts: str) -> str:
        return posixpath.join(self.root, *parts)


class Draft:
    """One backup in the making: which file of the installation is which content of the store."""

    def __init__(self, store: BackupStore, folder: Path) -> None:
        names = store.names()
        self._store, self.folder = store, folder
        self._known: dict[str, dict[str, Any]] = store.manifest(names[-1])["files"] if names else {}
        self.entries: dict[str, dict[str, Any]] = {}
        self.new_files = self.new_bytes = 0

    def add(self, place: str, path: Path, mark: str = "") -> None:
        """Adds a file. With `mark`, which is another one whenever the content is, the file is not read when the last backup has it."""
        if mark and self._is_known(place, mark):
            return
        digest, size, is_new = self._store.put(path)
        self.entries[place] = {"sha256": digest, "bytes": size} | ({"mark": mark} if mark else {})
        self.new_files, self.new_bytes = self.new_files + is_new, self.new_bytes + size * is_new

    def add_content(self, place: str, content: bytes) -> None:
        """Adds what is not a file yet."""
        path = self.folder / f"content-{hashlib.sha256(content).hexdigest()}"
        path.write_bytes(content)
        self.add(place, path)
        path.unlink()

    def add_from(self, place: str, files: Any, path: str, mark: str) -> None:
        """Adds a file of another store, as `add`."""
        if self._is_known(place, mark):
            return
        copy = self.folder / "fetched"
        files.get_file(path, str(copy))
        self.add(place, copy)
        self.entries[place]["mark"] = mark
        copy.unlink()

    def _is_known(self, place: str, mark: str) -> bool:
        known = self._known.get(place, {})
        if known.get("mark") != mark or not self._store.has(known["sha256"], known["bytes"]):
            return False
        self.entries[place] = known
        return True
