"""The object store: a folder, or an S3-compatible bucket, through fsspec. Paths are ours, below one root."""

from typing import Any, Final

import fsspec

from warehouse.errors import NotFoundError, RetryableError
from warehouse.settings import Settings

LINK_S: Final = 300


def open_store(settings: Settings, url: str) -> tuple[Any, str]:
    """The fsspec file system of an address and the path in it; `s3://` is reached as the settings say."""
    is_s3 = url.startswith("s3:")
    files, root = fsspec.core.url_to_fs(url, **(_s3_options(settings) if is_s3 else {}))
    return files, str(root)


def make_folder(store: Any, path: str) -> None:
    """Makes a folder where the store has such; elsewhere there is nothing to make, and s3fs would try to make the bucket."""
    if "file" in store.protocol:
        store.makedirs(path, exist_ok=True)


class ObjectStore:
    """Files of reports, job results and backups."""

    def __init__(self, settings: Settings) -> None:
        self._is_local = settings.files_url.startswith("file:")
        is_s3 = settings.files_url.startswith("s3:")
        self._files, self._root = open_store(settings, settings.files_url)
        # Amazon's addresses work anywhere; those of a store of one's own only when the settings say how browsers reach it.
        public = settings.s3_public_endpoint_url or (None if settings.s3_endpoint_url else "")
        self._signs = is_s3 and public is not None
        self._public = (
            fsspec.filesystem("s3", **_s3_options(settings) | {"endpoint_url": public}) if self._signs and public else self._files
        )
        self._away = store_errors(settings.files_url)

    def write(self, path: str, content: bytes) -> None:
        """Puts the whole file in place or raises RetryableError."""
        target = f"{self._root}/{path}"
        try:
            if self._is_local:
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            draft = f"{target}.draft" if self._is_local else target
            self._files.pipe_file(draft, content)
            if draft != target:
                self._files.mv(draft, target)
        except self._away as failed:
            raise RetryableError(f"the file store did not take {path}: {failed}", path=path) from failed

    def read(self, path: str) -> bytes:
        """The whole file. Raises NotFoundError when it is gone, RetryableError while the store is away."""
        try:
            content: bytes = self._files.cat_file(f"{self._root}/{path}")
        except FileNotFoundError as gone:
            raise NotFoundError(f"the file {path} is not in the store any more", noun="file", key=path) from gone
        except self._away as failed:
            raise RetryableError(f"the file store cannot be read now: {failed}", path=path) from failed
        return content

    def delete(self, path: str) -> None:
        """Deletes the file; nothing happens when it is gone already."""
        try:
            self._files.rm_file(f"{self._root}/{path}")
        except FileNotFoundError:
            return
        except self._away as failed:
            raise RetryableError(f"the file store did not delete {path}: {failed}", path=path) from failed

    def link(self, path: str, name: str) -> str | None:
        """A presigned address for five minutes, under which the file is called `name`.

        None for a folder, and for a store that browsers do not reach: then the file goes through us.
        """
        if not self._signs:
            return None
        called = f'attachment; filename="{name}"'
        return str(self._public.sign(f"{self._root}/{path}", expiration=LINK_S, ResponseContentDisposition=called))


def make_bucket(settings: Settings, address: str) -> None:
    """Makes the bucket of an `s3://bucket/prefix` address when there is none; nothing happens for other addresses.

    Raises RetryableError while the store is away or does not let us.
    """
    if not address.startswith("s3://"):
        return
    bucket, store = address.removeprefix("s3://").partition("/")[0], fsspec.filesystem("s3", **_s3_options(settings))
    try:
        if not store.exists(bucket):
            # Amazon takes no location for the region that is its default, and needs one for every other.
            place = {} if settings.s3_region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": settings.s3_region}}
            store.call_s3("create_bucket", Bucket=bucket, **place)
    except store_errors(address) as failed:
        raise RetryableError(f"there is no bucket {bucket}, and it cannot be made: {failed}", bucket=bucket) from failed


def _s3_options(settings: Settings) -> dict[str, Any]:
    """How s3fs reaches the bucket: the same store and person as the lake's. What is not set is looked for where Amazon's tools do."""
    return {
        "endpoint_url": settings.s3_endpoint_url or None,
        "key": settings.s3_access_key_id or None,
        "secret": settings.s3_secret_access_key.get_secret_value() or None,
        "client_kwargs": {"region_name": settings.s3_region},
        # Left to itself botocore signs addresses by version 2, which newer regions of Amazon refuse.
        "config_kwargs": {"signature_version": "s3v4"},
        # Others write too: a listing that was remembered would be old.
        "use_listings_cache": False,
    }


def store_errors(url: str) -> tuple[type[Exception], ...]:
    """What the store of an address raises while it is away."""
    if not url.startswith("s3:"):
        return (OSError,)
    # Only for those who have a bucket: it takes a third of a second.
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - only where S3 is used

    return (OSError, BotoCoreError)
