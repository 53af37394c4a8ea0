"""The factory's picture on the cover: checked, kept, proved with the report."""

import io

import pytest
from PIL import Image

from assets.reporting.logo import logo_frame, remove_logo, set_logo, small_png
from assets.reporting.run import inputs_zip, read_inputs
from tests.assets.reporting.conftest import Plant, picture
from warehouse.errors import InvalidInputError


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_picture_becomes_a_small_png(form: str) -> None:
    kept = Image.open(io.BytesIO(small_png(picture((4000, 500), form))))
    assert (kept.format, kept.size) == ("PNG", (1600, 200))


@pytest.mark.parametrize("wrong", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", picture()[:60]])
def test_what_is_no_picture_is_refused(wrong: bytes) -> None:
    with pytest.raises(InvalidInputError, match="PNG or JPEG"):
        small_png(wrong)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.reporting.logo._MOST_PIXELS", 10_000)
    with pytest.raises(InvalidInputError, match="pixels"):
        small_png(picture((101, 100)))


def test_the_logo_is_kept_with_the_inputs_of_a_report(empty_plant: Plant) -> None:
    plant = empty_plant
    settings = plant.installation.settings
    assert logo_frame(settings, 1).height == 0
    set_logo(plant.installation, 1, 7, picture())
    frame = logo_frame(settings, 1)
    others = dict.fromkeys(("devices", "parameters", "alerts", "rules", "changes", "analysis", "logo"), frame)
    assert read_inputs(inputs_zip(others))["logo"].equals(frame)
    remove_logo(plant.installation, 1, 7)
    assert logo_frame(settings, 1).height == 0
