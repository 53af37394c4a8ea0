"""Files from a folder to another store: each whole or not at all, read back and compared by checksum."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from warehouse.errors import PermanentError, RetryableError
from warehouse.objects import make_folder

Say = Callable[[str], None]
_PIECE: Final = 1 << 20
SAY_EVERY: Final = 200


@dataclass(frozen=True)
class FilesMoved:
    """Files that are the same on both sides."""

    files: int
    bytes: int
    copied: int
    """How many of them this run wrote; the others had been there."""


def copy_files(folder: Path, names: Iterable[str], store: Any, root: str, say: Say) -> FilesMoved:
    """Copies files of `folder` (names relative to it) to `root` of an fsspec store, unless they are there with the same content.

    Every file is read back, also one that had been there. Raises RetryableError when the store does not take one, PermanentError when it
    gives back something else than it was given.
    """
    files = size = copied = 0
    for name in names:
        path, target = folder / name, f"{root}/{name}"
        wanted = digest_of(path)
        try:
            if digest_in(store, target) != wanted:
                make_folder(store, target.rpartition("/")[0])
                store.put_file(str(path), target)
                copied += 1
                if digest_in(store, target) != wanted:
                    message = f"{target} came back with another content than {path}: look after the store, then run the command again"
                    raise PermanentError(message, path=target)
        except OSError as failed:
            raise RetryableError(f"the store did not take {target}: {failed}; run the command again", path=target) from failed
        files, size = files + 1, size + path.stat().st_size
        if files % SAY_EVERY == 0:
            say(f"{files:,} files, {size / 1e6:,.1f} MB")
    return FilesMoved(files, size, copied)


def names_in(folder: Path) -> Iterator[str]:
    """Every file below a folder, relative to it, in order; none when there is no folder."""
    for path in sorted(folder.rglob("*")) if folder.exists() else ():
        if path.is_file() and path.suffix != ".draft":
            yield path.relative_to(folder).as_posix()


def digest_of(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest_in(store: Any, target: str) -> str:
    """sha256 of a file in the store; empty when it is not there."""
    checksum = hashlib.sha256()
    try:
        with store.open(target, "rb") as opened:
            while piece := opened.read(_PIECE):
                checksum.update(piece)
    except FileNotFoundError:
        return ""
    return checksum.hexdigest()
