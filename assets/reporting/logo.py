"""The factory's own picture on the cover: checked, made small, kept with the factory's files."""

import base64
import io
from typing import Final

import polars as pl
from PIL import Image, UnidentifiedImageError

from warehouse.access import audit
from warehouse.errors import InvalidInputError, NotFoundError
from warehouse.installation import Installation
from warehouse.objects import ObjectStore
from warehouse.settings import Settings
from warehouse.tenancy import tenant_session

LARGEST_BYTES: Final = 4 * 1024 * 1024
_MOST_PIXELS: Final = 40_000_000
# 12 mm high on the cover: 400 pixels are 850 a inch.
_SIZE: Final = (1600, 400)
LOGO: Final = pl.Schema({"base64": pl.String()})


def set_logo(installation: Installation, factory_id: int, user_id: int, content: bytes) -> bytes:
    """Keeps the picture as the factory's logo; returns it as it is kept, a PNG without anything but pixels. Raises InvalidInputError."""
    kept = small_png(content)
    ObjectStore(installation.settings).write(_path(factory_id), kept)
    _note(installation, factory_id, user_id, "factory.set_logo")
    return kept


def remove_logo(installation: Installation, factory_id: int, user_id: int) -> None:
    """Back to our own mark; nothing happens when there is no logo."""
    ObjectStore(installation.settings).delete(_path(factory_id))
    _note(installation, factory_id, user_id, "factory.remove_logo")


def logo_of(settings: Settings, factory_id: int) -> bytes | None:
    """The logo as PNG; None when the factory has none."""
    try:
        return ObjectStore(settings).read(_path(factory_id))
    except NotFoundError:
        return None


def logo_frame(settings: Settings, factory_id: int) -> pl.DataFrame:
    """LOGO with one row, or none: as a frame it is kept and proved like every other input of a report."""
    found = logo_of(settings, factory_id)
    return pl.DataFrame({"base64": [base64.b64encode(found).decode()] if found else []}, schema=LOGO)


def small_png(content: bytes) -> bytes:
    """A PNG or JPEG as PNG of at most 1600 x 400 pixels. Raises InvalidInputError for anything else."""
    if len(content) > LARGEST_BYTES:
        raise InvalidInputError(f"the picture is larger than {LARGEST_BYTES // 1024**2} MiB", path="logo")
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise InvalidInputError("the picture has too many pixels for a logo", path="logo")
            picture = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as wrong:
        raise InvalidInputError("the logo must be a PNG or JPEG picture", path="logo") from wrong
    picture.thumbnail(_SIZE)
    out = io.BytesIO()
    picture.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _path(factory_id: int) -> str:
    return f"factories/{factory_id}/logo.png"


def _note(installation: Installation, factory_id: int, user_id: int, action: str) -> None:
    with tenant_session(installation.db, factory_id, write=True) as session:
        audit.append(session, action, f"factory:{factory_id}", installation.clock.now(), audit.Actor(factory_id, user_id))
