"""The object store: a folder, or an S3-compatible bucket, through fsspec. Paths are ours, below one root."""

from typing import Final

import fsspec

from warehouse.errors import NotFoundError, RetryableError
from warehouse.settings import Settings

LINK_S: Final = 300


class ObjectStore:
    """Files of reports, job results and backups."""

    def __init__(self, settings: Settings) -> None:
        self._files, self._root = fsspec.core.url_to_fs(settings.files_url)
        self._is_local = settings.files_url.startswith("file:")

    def write(self, path: str, content: bytes) -> None:
        """Puts the whole file in place or raises RetryableError."""
        target = f"{self._root}/{path}"
        try:
            self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            draft = f"{target}.draft" if self._is_local else target
            self._files.pipe_file(draft, content)
            if draft != target:
                self._files.mv(draft, target)
        except OSError as failed:
            raise RetryableError(f"the file store did not take {path}: {failed}", path=path) from failed

    def read(self, path: str) -> bytes:
        """The whole file. Raises NotFoundError when it is gone, RetryableError while the store is away."""
        try:
            content: bytes = self._files.cat_file(f"{self._root}/{path}")
        except FileNotFoundError as gone:
            raise NotFoundError(f"the file {path} is not in the store any more", noun="file", key=path) from gone
        except OSError as failed:
            raise RetryableError(f"the file store cannot be read now: {failed}", path=path) from failed
        return content

    def delete(self, path: str) -> None:
        """Deletes the file; nothing happens when it is gone already."""
        try:
            self._files.rm_file(f"{self._root}/{path}")
        except FileNotFoundError:
            return
        except OSError as failed:
            raise RetryableError(f"the file store did not delete {path}: {failed}", path=path) from failed

    def link(self, path: str) -> str | None:
        """A presigned address for five minutes; None for a folder, which has no addresses."""
        if self._is_local:
            return None
        return str(self._files.sign(f"{self._root}/{path}", expiration=LINK_S))
